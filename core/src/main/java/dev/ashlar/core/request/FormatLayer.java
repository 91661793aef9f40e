package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockStatus;
import dev.ashlar.core.spi.BackingContent;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.CompressionCapable;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.Resizable;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The data plane of an image format: asks the driver where bytes live and moves them. */
public final class FormatLayer extends Layer {
    /** Replaced only while the node is drained. */
    private volatile FormatInstance instance;

    /** Replaced only while the node is drained. */
    private volatile @Nullable Layer backing;

    private volatile long allocationUnit;
    private volatile long zeroUnit;
    private final MetadataAccess metadata;

    /** @param backing answers for what the image has not allocated; null: zeros do */
    public FormatLayer(
            String name, LayerMode mode, FailStop failStop, FormatInstance instance, @Nullable Layer backing) {
        super(name, mode, failStop);
        this.instance = instance;
        this.backing = backing;
        this.allocationUnit = instance.allocationUnitBytes();
        this.zeroUnit = instance.zeroUnitBytes();
        this.metadata = new RequestMetadata(this);
    }

    @Override
    public FormatInstance instance() {
        return instance;
    }

    @Override
    void replaceInstance(DriverInstance fresh) {
        if (!(fresh instanceof FormatInstance format)) {
            throw new IllegalStateException("not a format: " + fresh.getClass().getName());
        }
        instance = format;
        allocationUnit = format.allocationUnitBytes();
        zeroUnit = format.zeroUnitBytes();
    }

    @Override
    public void childSwitched(Layer before, Layer fresh) {
        if (backing == before) {
            backing = fresh;
        }
    }

    @Override
    public MetadataAccess metadata() {
        return metadata;
    }

    @Override
    public long lengthBytes() throws BlockException {
        return instance.lengthBytes();
    }

    @Override
    void readAligned(long offset, MemorySegment destination) throws BlockException {
        long length = destination.byteSize();
        long direct = instance.mapDirect(offset, length);
        if (direct >= 0) {
            instance.dataChild().read(direct, destination);
            return;
        }
        long done = 0;
        while (done < length) {
            long at = offset + done;
            Mapping mapping = instance.map(at, length - done);
            if (mapping instanceof Mapping.EndOfImage) {
                destination.asSlice(done).fill((byte) 0);
                return;
            }
            long covered = checkCovered(mapping.lengthBytes(), length - done);
            readMapped(mapping, at, destination.asSlice(done, covered));
            done += covered;
        }
    }

    private void readMapped(Mapping mapping, long offset, MemorySegment part) throws BlockException {
        if (mapping instanceof Mapping.Data data) {
            data.child().read(data.hostOffset(), part);
        } else if (mapping instanceof Mapping.Encoded encoded) {
            instance.decode(encoded, offset, part);
        } else if (mapping instanceof Mapping.Backing && backing != null) {
            instance.dataChild().event(BlockEvent.READ_BACKING_AIO);
            backing.read(offset, part, Origin.PARENT);
        } else {
            part.fill((byte) 0);
        }
    }

    @Override
    boolean writeInPlace(long offset, MemorySegment source) throws BlockException {
        long host = instance.planInPlace(offset, source.byteSize());
        if (host < 0) {
            return false;
        }
        instance.dataChild().write(host, source);
        return true;
    }

    @Override
    void writeSerialised(long offset, MemorySegment source) throws BlockException {
        checkEnd(offset, source.byteSize());
        PlannedWrite.write(this, offset, source);
    }

    @Override
    public long compressedUnitBytes() {
        return instance.capability(CompressionCapable.class).isPresent() ? allocationUnit : 0;
    }

    @Override
    public PreparedWrite compress(long offset, MemorySegment source) throws BlockException {
        FormatInstance format = instance;
        Optional<CompressionCapable> codec = format.capability(CompressionCapable.class);
        if (codec.isEmpty()) {
            return PreparedWrite.NOTHING;
        }
        CompressedWrite.requireUnits(offset, source.byteSize(), format.allocationUnitBytes(), format.lengthBytes());
        return new PreparedWrite(EncodedUnits.of(format, codec.get(), source));
    }

    @Override
    void compressedSerialised(long offset, MemorySegment source, PreparedWrite prepared) throws BlockException {
        FormatInstance format = instance;
        Optional<CompressionCapable> codec = format.capability(CompressionCapable.class);
        if (codec.isEmpty()) {
            super.compressedSerialised(offset, source, prepared);
            return;
        }
        checkEnd(offset, source.byteSize());
        CompressedWrite.requireUnits(offset, source.byteSize(), allocationUnit, format.lengthBytes());
        long at = offset;
        for (EncodedUnits units : prepared.units()) {
            if (!units.isOf(format)) {
                // the image was opened anew meanwhile, maybe with other clusters
                break;
            }
            CompressedWrite.write(this, codec.get(), at, units);
            at += units.guestBytes();
        }
        if (at < offset + source.byteSize()) {
            try (PreparedWrite rest = compress(at, source.asSlice(at - offset))) {
                for (EncodedUnits units : rest.units()) {
                    CompressedWrite.write(this, codec.get(), at, units);
                    at += units.guestBytes();
                }
            }
        }
    }

    @Override
    void zeroSerialised(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        checkEnd(offset, lengthBytes);
        long end = offset + lengthBytes;
        long from = Math.min(Alignment.up(offset, zeroUnit), end);
        long to = end >= lengthBytes() ? end : Math.max(Alignment.down(end, zeroUnit), from);
        PartialUnit.zero(this, zeroUnit, offset, from - offset, mayUnmap);
        long at = from;
        while (at < to) {
            long done = instance.writeZeroes(at, to - at, mayUnmap);
            if (done == 0) {
                // where parts of a unit can't be zeroed, whole ones may
                long whole = Alignment.up(at, allocationUnit) > at
                        ? Alignment.up(at, allocationUnit)
                        : Alignment.down(to, allocationUnit);
                done = PlannedWrite.zero(this, at, (whole > at && whole < to ? whole : to) - at, mayUnmap);
            }
            at += checkCovered(done, to - at);
        }
        PartialUnit.zero(this, zeroUnit, to, end - to, mayUnmap);
    }

    @Override
    void discardSerialised(long offset, long lengthBytes) throws BlockException {
        long end = offset + lengthBytes;
        long from = Alignment.up(offset, allocationUnit);
        long to = end >= lengthBytes() ? lengthBytes() : Alignment.down(end, allocationUnit);
        if (to > from) {
            instance.discard(from, to - from);
        }
    }

    @Override
    long unitBytes() {
        return allocationUnit;
    }

    @Override
    void truncateContent(long lengthBytes, Preallocation preallocation) throws BlockException {
        Optional<Resizable> resizable = instance.capability(Resizable.class);
        if (resizable.isEmpty()) {
            throw new BlockException(Kind.UNSUPPORTED, "Image format driver does not support resize");
        }
        Layer below = backing;
        resizable.get().resize(lengthBytes, preallocation, below == null ? null : new ContentBelow(below));
    }

    private record ContentBelow(Layer layer) implements BackingContent {
        @Override
        public long lengthBytes() throws BlockException {
            return layer.lengthBytes();
        }

        @Override
        public void read(long guestOffset, MemorySegment destination) throws BlockException {
            layer.read(guestOffset, destination, Origin.PARENT);
        }
    }

    @Override
    BlockStatus statusOf(long offset, long lengthBytes, int depth) throws BlockException {
        Mapping mapping = instance.map(offset, lengthBytes);
        if (mapping instanceof Mapping.Backing unallocated && backing != null) {
            long below = backing.lengthBytes();
            if (offset < below) {
                long covered = Math.min(unallocated.lengthBytes(), below - offset);
                return backing.status(offset, covered, depth + 1, Origin.PARENT);
            }
        }
        return ownStatus(mapping, lengthBytes, depth);
    }

    @Override
    BlockStatus allocatedOf(long offset, long lengthBytes) throws BlockException {
        return ownStatus(instance.map(offset, lengthBytes), lengthBytes, 0);
    }

    @Override
    void populateSerialised(long offset, long lengthBytes) throws BlockException {
        long at = Alignment.down(offset, allocationUnit);
        long end = Math.min(Alignment.up(offset + lengthBytes, allocationUnit), lengthBytes());
        while (at < end) {
            // Asked anew for each piece: a copied piece may have filled a whole unit.
            Mapping mapping = instance.map(at, end - at);
            if (mapping instanceof Mapping.EndOfImage) {
                return;
            }
            long covered = checkCovered(mapping.lengthBytes(), end - at);
            at += mapping instanceof Mapping.Backing ? copyUp(at, covered) : covered;
        }
    }

    /** Copies the front of a range that this layer has not allocated, zeros where nothing is behind it. @return bytes done */
    private long copyUp(long at, long lengthBytes) throws BlockException {
        Layer below = backing;
        long belowLength = below == null ? 0 : below.lengthBytes();
        long zeros = lengthBytes;
        boolean zero = true;
        if (below != null && at < belowLength) {
            BlockStatus status = below.status(at, Math.min(lengthBytes, belowLength - at), 1, Origin.PARENT);
            zero = status.zero();
            zeros = status.lengthBytes();
        }
        boolean toTheEnd = at + zeros == lengthBytes();
        long wholeZeros = !zero ? 0 : toTheEnd ? zeros : Alignment.down(zeros, allocationUnit);
        if (wholeZeros > 0) {
            zeroSerialised(at, wholeZeros, true);
            return wholeZeros;
        }
        long piece = Math.min(lengthBytes, Math.max(BufferPool.PIECE_BYTES, allocationUnit));
        MemorySegment buffer = BufferPool.acquire(piece);
        try {
            MemorySegment content = buffer.asSlice(0, piece);
            readUntracked(at, content);
            PlannedWrite.write(this, at, content);
        } finally {
            BufferPool.release(buffer);
        }
        return piece;
    }

    private BlockStatus ownStatus(Mapping mapping, long asked, int depth) throws BlockException {
        return switch (mapping) {
            case Mapping.Data data -> dataStatus(data, depth);
            case Mapping.Zero zero ->
                new BlockStatus(
                        false,
                        true,
                        true,
                        false,
                        depth,
                        zero.hostOffset(),
                        fileOf(zero.hostOffset()),
                        zero.lengthBytes());
            case Mapping.Encoded encoded ->
                new BlockStatus(true, false, true, true, depth, -1, null, encoded.lengthBytes());
            case Mapping.Backing unallocated ->
                new BlockStatus(
                        false,
                        true,
                        false,
                        false,
                        depth,
                        unallocated.hostOffset(),
                        fileOf(unallocated.hostOffset()),
                        unallocated.lengthBytes());
            case Mapping.EndOfImage end -> new BlockStatus(false, true, false, false, depth, -1, null, asked);
        };
    }

    private @Nullable String fileOf(long hostOffset) {
        return hostOffset < 0 ? null : instance.dataChild().fileName();
    }

    private BlockStatus dataStatus(Mapping.Data data, int depth) throws BlockException {
        ChildAccess child = data.child();
        long length = data.lengthBytes();
        if (child.transformsData()) {
            return new BlockStatus(true, false, true, true, depth, -1, null, length);
        }
        boolean zero = false;
        boolean holesAreData = allocationUnit > 1 && instance.hasUnwrittenData();
        boolean behindFile = data.hostOffset() >= child.lengthBytes();
        if (behindFile && allocationUnit == 1) {
            // The rest of the last sector.
            zero = true;
        } else if (!behindFile && (allocationUnit == 1 || holesAreData)) {
            // The format has no notion of unused space of its own, or made no use of it: the file below knows about
            // holes.
            HostExtent extent = child.extentAt(data.hostOffset(), length);
            zero = extent.zero();
            length = Math.min(length, extent.lengthBytes());
        }
        return new BlockStatus(
                !zero || holesAreData, zero, true, false, depth, data.hostOffset(), child.fileName(), length);
    }

    private void checkEnd(long offset, long lengthBytes) throws BlockException {
        // Formats that never allocate grow with the file below them.
        if (allocationUnit > 1 && offset > lengthBytes() - lengthBytes) {
            throw new BlockException(Kind.OUT_OF_BOUNDS, "Request beyond the end of block node '" + name() + "'");
        }
    }

    /** Holds a driver to its contract: progress, and not more than was asked for. */
    static long checkCovered(long covered, long asked) {
        if (covered <= 0 || covered > asked) {
            throw new IllegalStateException("driver covered " + covered + " of " + asked + " bytes");
        }
        return covered;
    }
}
