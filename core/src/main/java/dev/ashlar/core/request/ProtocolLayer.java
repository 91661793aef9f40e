package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.BlockStatus;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.ProtocolInstance;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/** The data plane of a leaf: bounces buffers the host can't take, cuts what is too long, remembers the length. */
public final class ProtocolLayer extends Layer {
    /** Replaced only while the node is drained. */
    private volatile ProtocolInstance instance;

    private volatile BlockLimits limits;
    /** The file's length as far as known; only truncation makes it smaller. */
    private final AtomicLong length;

    private final MetadataAccess metadata;

    public ProtocolLayer(String name, LayerMode mode, FailStop failStop, ProtocolInstance instance)
            throws BlockException {
        super(name, mode, failStop);
        this.instance = instance;
        this.limits = instance.limits();
        this.length = new AtomicLong(instance.lengthBytes());
        this.metadata = new GrowingMetadata();
    }

    @Override
    public ProtocolInstance instance() {
        return instance;
    }

    @Override
    void replaceInstance(DriverInstance fresh) {
        if (!(fresh instanceof ProtocolInstance file)) {
            throw new IllegalStateException(
                    "not a protocol: " + fresh.getClass().getName());
        }
        instance = file;
        limits = file.limits();
    }

    @Override
    public MetadataAccess metadata() {
        return metadata;
    }

    @Override
    public long lengthBytes() {
        return length.get();
    }

    /** Whether a request can go to the driver as it is. */
    boolean takes(long offset, MemorySegment buffer) {
        return ((offset | buffer.byteSize()) & (limits.requestAlignmentBytes() - 1)) == 0
                && buffer.byteSize() <= limits.maxTransferBytes()
                && isAligned(buffer);
    }

    /** To be told after a write that bypassed this layer's own methods. */
    void grewTo(long end) {
        if (end > length.get()) {
            length.accumulateAndGet(end, Math::max);
        }
    }

    @Override
    void readAligned(long offset, MemorySegment destination) throws BlockException {
        long total = destination.byteSize();
        if (total <= limits.maxTransferBytes() && isAligned(destination)) {
            instance.read(offset, destination);
            return;
        }
        boolean bounce = !isAligned(destination);
        long piece = pieceBytes(bounce);
        MemorySegment buffer = bounce ? BufferPool.acquire(Math.min(piece, total)) : destination;
        try {
            for (long done = 0; done < total; done += piece) {
                long now = Math.min(piece, total - done);
                MemorySegment part = buffer.asSlice(bounce ? 0 : done, now);
                instance.read(offset + done, part);
                if (bounce) {
                    MemorySegment.copy(part, 0, destination, done, now);
                }
            }
        } finally {
            if (bounce) {
                BufferPool.release(buffer);
            }
        }
    }

    @Override
    boolean writeInPlace(long offset, MemorySegment source) throws BlockException {
        long total = source.byteSize();
        if (total <= limits.maxTransferBytes() && isAligned(source)) {
            instance.write(offset, source);
        } else {
            writePieces(offset, source);
        }
        grewTo(offset + total);
        return true;
    }

    private void writePieces(long offset, MemorySegment source) throws BlockException {
        long total = source.byteSize();
        boolean bounce = !isAligned(source);
        long piece = pieceBytes(bounce);
        MemorySegment buffer = bounce ? BufferPool.acquire(Math.min(piece, total)) : source;
        try {
            for (long done = 0; done < total; done += piece) {
                long now = Math.min(piece, total - done);
                MemorySegment part = buffer.asSlice(bounce ? 0 : done, now);
                if (bounce) {
                    MemorySegment.copy(source, done, part, 0, now);
                }
                instance.write(offset + done, part);
            }
        } finally {
            if (bounce) {
                BufferPool.release(buffer);
            }
        }
    }

    @Override
    void writeSerialised(long offset, MemorySegment source) throws BlockException {
        writeInPlace(offset, source);
    }

    @Override
    public long compressedUnitBytes() {
        return 0;
    }

    @Override
    void zeroSerialised(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        long alignment = limits.requestAlignmentBytes();
        long end = offset + lengthBytes;
        long from = Math.min(Alignment.up(offset, alignment), end);
        long to = Math.max(Alignment.down(end, alignment), from);
        Zeros.write(this, offset, from - offset);
        if (to > from) {
            instance.writeZeroes(from, to - from, mayUnmap);
            grewTo(to);
        }
        Zeros.write(this, to, end - to);
    }

    @Override
    void discardSerialised(long offset, long lengthBytes) throws BlockException {
        long alignment = Math.max(limits.discardAlignmentBytes(), limits.requestAlignmentBytes());
        long from = Alignment.up(offset, alignment);
        long to = Alignment.down(offset + lengthBytes, alignment);
        if (to > from) {
            instance.discard(from, to - from);
        }
    }

    @Override
    long unitBytes() {
        return limits.requestAlignmentBytes();
    }

    @Override
    void truncateContent(long lengthBytes, Preallocation preallocation) throws BlockException {
        instance.truncate(lengthBytes, preallocation);
        length.set(instance.lengthBytes());
    }

    /** As {@link ProtocolInstance#extentAt}, tracked. */
    public HostExtent extentAt(long offset, long lengthBytes) throws BlockException {
        TrackedRequest request = tracker().enter(offset, offset + lengthBytes, Origin.PARENT);
        try {
            requireOpen();
            return instance.extentAt(offset, lengthBytes);
        } finally {
            tracker().exit(request);
        }
    }

    @Override
    BlockStatus statusOf(long offset, long lengthBytes, int depth) throws BlockException {
        HostExtent extent = instance.extentAt(offset, lengthBytes);
        long covered = Math.min(extent.lengthBytes(), lengthBytes);
        return new BlockStatus(!extent.zero(), extent.zero(), true, false, depth, offset, instance.fileName(), covered);
    }

    @Override
    BlockStatus allocatedOf(long offset, long lengthBytes) throws BlockException {
        return statusOf(offset, lengthBytes, 0);
    }

    private boolean isAligned(MemorySegment buffer) {
        return buffer.isNative() && (buffer.address() & (limits.memoryAlignmentBytes() - 1)) == 0;
    }

    private long pieceBytes(boolean bounce) {
        long most = limits.maxTransferBytes();
        return bounce ? Math.min(most, Math.max(BufferPool.PIECE_BYTES, limits.requestAlignmentBytes())) : most;
    }

    /** The instance's metadata access; writes may make the file longer. */
    private final class GrowingMetadata implements MetadataAccess {
        @Override
        public void read(long offset, MemorySegment destination) throws BlockException {
            instance.metadata().read(offset, destination);
        }

        @Override
        public void write(long offset, MemorySegment source) throws BlockException {
            try {
                instance.metadata().write(offset, source);
                grewTo(offset + source.byteSize());
            } finally {
                bitmaps().written(offset, offset + source.byteSize());
            }
        }

        @Override
        public Optional<MappedView> map(long reserveBytes) throws BlockException {
            return instance.metadata().map(reserveBytes);
        }
    }
}
