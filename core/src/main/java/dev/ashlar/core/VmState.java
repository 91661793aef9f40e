package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.request.FormatLayer;
import dev.ashlar.core.request.LayerMode;
import dev.ashlar.core.request.Origin;
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
 * dev.ashlar.core.snapshot.SnapshotRequest#vmStateSizeBytes}); after an apply it is there again.
 */
public final class VmState implements AutoCloseable {
    private final BlockNode node;
    private final VmStateCapable capable;
    private final FormatLayer layer;

    private VmState(BlockNode node, VmStateCapable capable, FormatLayer layer) {
        this.node = node;
        this.capable = capable;
        this.layer = layer;
    }

    static VmState open(BlockNode node) throws BlockException {
        Optional<VmStateCapable> capable = node.capability(VmStateCapable.class);
        if (capable.isEmpty()) {
            throw new BlockException(
                    Kind.UNSUPPORTED, "Block driver '" + node.driverName() + "' does not store the state of machines");
        }
        FormatInstance area = capable.get().openVmState();
        LayerMode mode = new LayerMode(node.isReadOnly(), false, true);
        FormatLayer layer =
                new FormatLayer(node.name() + "/vmstate", mode, node.layer().failStop(), area, null);
        return new VmState(node, capable.get(), layer);
    }

    /** Most bytes that fit. */
    public long capacityBytes() throws BlockException {
        return layer.lengthBytes();
    }

    /** Fills the buffer; what was never written reads as zeros. */
    public void read(long offset, MemorySegment destination) throws BlockException {
        requireInside(offset, destination.byteSize());
        node.<Boolean>whileDrained(() -> {
            layer.read(offset, destination, Origin.PARENT);
            return true;
        });
    }

    /** Writes the buffer. Durable with the snapshot that is created with it. */
    public void write(long offset, MemorySegment source) throws BlockException {
        requireInside(offset, source.byteSize());
        node.<Boolean>whileDrained(() -> {
            layer.write(offset, source, Origin.PARENT);
            return true;
        });
    }

    /** Gives up the state that goes with the live disk; snapshots keep theirs. */
    public void drop() throws BlockException {
        node.<Boolean>whileDrained(() -> {
            capable.dropVmState();
            return true;
        });
    }

    private void requireInside(long offset, long lengthBytes) throws BlockException {
        if (offset < 0 || offset > layer.lengthBytes() - lengthBytes) {
            throw new BlockException(Kind.TOO_LARGE, "State of the machine is too large for '" + node.name() + "'");
        }
    }

    /** Ends the access; the state stays. */
    @Override
    public void close() throws BlockException {
        layer.instance().close();
    }
}
