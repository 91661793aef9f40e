package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.request.FormatLayer;
import dev.ashlar.core.request.LayerMode;
import dev.ashlar.core.request.Origin;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.VmStateCapable;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * A machine's state, kept by an image beside its disk and never visible in it: written before a snapshot is created that records its
 * size, read after that snapshot was applied. Offsets are bytes from the start of the state. Any thread, one call at a time; each call
 * drains the node.
 *
 * <p>The state belongs to the live disk until a snapshot is created with it ({@link
 * dev.ashlar.core.snapshot.SnapshotRequest#vmStateSizeBytes}); after an apply it is there again. When the node's driver was opened again
 * meanwhile, the state is the one that the new driver finds.
 */
public final class VmState implements AutoCloseable {
    private final BlockNode node;
    private final boolean writing;
    private Area area;

    /** The way to the state through one opening of the driver. */
    private record Area(DriverInstance driver, VmStateCapable capable, FormatLayer layer) {}

    private VmState(BlockNode node, boolean writing, Area area) {
        this.node = node;
        this.writing = writing;
        this.area = area;
    }

    static VmState open(BlockNode node, boolean writing) throws BlockException {
        return new VmState(node, writing, node.whileControlled(() -> areaOf(node)));
    }

    private static Area areaOf(BlockNode node) throws BlockException {
        Optional<VmStateCapable> capable = node.capability(VmStateCapable.class);
        if (capable.isEmpty()) {
            throw new BlockException(
                    Kind.UNSUPPORTED, "Block driver '" + node.driverName() + "' does not store the state of machines");
        }
        FormatInstance instance = capable.get().openVmState();
        LayerMode mode = new LayerMode(node.isReadOnly(), false, true);
        FormatLayer layer =
                new FormatLayer(node.name() + "/vmstate", mode, node.layer().failStop(), instance, null);
        return new Area(node.layer().instance(), capable.get(), layer);
    }

    private interface Use<T> {
        T with(Area area) throws BlockException;
    }

    @SuppressWarnings("ReferenceEquality") // another opening of the driver is another instance
    private <T> T whileDrained(Use<T> use) throws BlockException {
        return node.whileDrained(() -> {
            if (node.layer().isClosed()) {
                throw new BlockException(Kind.NO_MEDIUM, "Device '" + node.name() + "' has no medium");
            }
            if (area.driver() != node.layer().instance()) {
                area = areaOf(node);
            }
            return use.with(area);
        });
    }

    /** Most bytes that fit. */
    public long capacityBytes() throws BlockException {
        return whileDrained(now -> now.layer().lengthBytes());
    }

    /** Fills the buffer; what was never written reads as zeros. */
    public void read(long offset, MemorySegment destination) throws BlockException {
        this.<Boolean>whileDrained(now -> {
            requireInside(now, offset, destination.byteSize());
            now.layer().read(offset, destination, Origin.PARENT);
            return true;
        });
    }

    /** Writes the buffer. Durable with the snapshot that is created with it. @throws BlockException READ_ONLY; TOO_LARGE */
    public void write(long offset, MemorySegment source) throws BlockException {
        requireWriting();
        this.<Boolean>whileDrained(now -> {
            requireInside(now, offset, source.byteSize());
            now.layer().write(offset, source, Origin.PARENT);
            return true;
        });
    }

    /** Gives up the state that goes with the live disk; snapshots keep theirs. @throws BlockException READ_ONLY */
    public void drop() throws BlockException {
        requireWriting();
        this.<Boolean>whileDrained(now -> {
            now.capable().dropVmState();
            return true;
        });
    }

    private void requireWriting() throws BlockException {
        if (!writing || node.isReadOnly()) {
            throw new BlockException(Kind.READ_ONLY, "Device '" + node.name() + "' is read only");
        }
    }

    private void requireInside(Area now, long offset, long lengthBytes) throws BlockException {
        if (offset < 0 || offset > now.layer().lengthBytes() - lengthBytes) {
            throw new BlockException(Kind.TOO_LARGE, "State of the machine is too large for '" + node.name() + "'");
        }
    }

    /** Ends the access; the state stays. */
    @Override
    public void close() throws BlockException {
        area.layer().instance().close();
    }
}
