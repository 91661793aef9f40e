package dev.ashlar.testkit.protocol;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.Permission;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.IoQueue;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.ProtocolInstance;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * A protocol over a {@link MemoryFile}, strict about its contract: requests that break the limits, and calls after {@link
 * #close}, are reported as misuse. Discarded ranges read as {@link MemoryFile#DISCARDED}. Any thread.
 */
public final class MemoryProtocol implements ProtocolInstance {
    private final MemoryFile file;
    private final boolean readOnly;
    private volatile boolean closed;

    public MemoryProtocol(MemoryFile file) {
        this(file, false);
    }

    /** @param readOnly whether changes are refused with READ_ONLY */
    public MemoryProtocol(MemoryFile file, boolean readOnly) {
        this.file = Objects.requireNonNull(file, "file");
        this.readOnly = readOnly;
    }

    public MemoryFile file() {
        return file;
    }

    @Override
    public BlockLimits limits() {
        return file.limits();
    }

    @Override
    public long lengthBytes() {
        requireOpen();
        return file.lengthBytes();
    }

    @Override
    public String fileName() {
        return file.name();
    }

    @Override
    public void read(long offset, MemorySegment destination) {
        requireAligned(offset, destination);
        file.read(offset, destination);
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        requireAligned(offset, source);
        requireWritable();
        file.write(offset, source);
    }

    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        requireAligned(offset, lengthBytes);
        requireWritable();
        file.fill(offset, lengthBytes, (byte) 0);
    }

    @Override
    public void discard(long offset, long lengthBytes) throws BlockException {
        requireOpen();
        requireWritable();
        int alignment = limits().discardAlignmentBytes();
        long start = Math.ceilDiv(offset, alignment) * alignment;
        long end = (offset + lengthBytes) / alignment * alignment;
        if (end > start) {
            file.discard(start, end - start);
        }
    }

    @Override
    public HostExtent extentAt(long offset, long lengthBytes) {
        requireOpen();
        long end = Math.min(offset + lengthBytes, file.lengthBytes());
        if (offset < 0 || lengthBytes < 1 || end <= offset) {
            throw new IllegalArgumentException("extentAt " + offset + "+" + lengthBytes);
        }
        boolean zero = file.isZero(offset, Math.min(EXTENT_BYTES - offset % EXTENT_BYTES, end - offset));
        long position = Math.min(end, (offset / EXTENT_BYTES + 1) * EXTENT_BYTES);
        while (position < end && file.isZero(position, Math.min(EXTENT_BYTES, end - position)) == zero) {
            position = Math.min(end, position + EXTENT_BYTES);
        }
        return new HostExtent(zero, position - offset);
    }

    private static final long EXTENT_BYTES = 4096;

    @Override
    public void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        requireOpen();
        requireWritable();
        file.truncate(lengthBytes);
    }

    @Override
    public long allocatedBytes() {
        return -1;
    }

    @Override
    public void flush() {
        requireOpen();
    }

    @Override
    public IoQueue openQueue(int capacity) {
        requireOpen();
        return new InlineIoQueue(this, capacity, 0);
    }

    @Override
    public MetadataAccess metadata() {
        requireOpen();
        return new Tables();
    }

    @Override
    public void updatePermissions(Set<Permission> used, Set<Permission> shared) throws BlockException {
        requireOpen();
        file.claim(this, used, shared);
    }

    @Override
    public void syncName() {
        requireOpen();
    }

    @Override
    public void close() {
        requireOpen();
        closed = true;
        file.release(this);
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("'" + file.name() + "' is closed");
        }
    }

    private void requireWritable() throws BlockException {
        if (readOnly) {
            throw new BlockException(Kind.READ_ONLY, "'" + file.name() + "' is read-only");
        }
    }

    private void requireAligned(long offset, MemorySegment buffer) {
        requireAligned(offset, buffer.byteSize());
        int alignment = limits().memoryAlignmentBytes();
        if (alignment > 1 && (!buffer.isNative() || buffer.address() % alignment != 0)) {
            throw new IllegalArgumentException("buffer " + buffer + " is not aligned to " + alignment);
        }
    }

    private void requireAligned(long offset, long lengthBytes) {
        requireOpen();
        int alignment = limits().requestAlignmentBytes();
        if (offset < 0 || lengthBytes < 0 || offset % alignment != 0 || lengthBytes % alignment != 0) {
            throw new IllegalArgumentException(
                    "request " + offset + "+" + lengthBytes + " is not aligned to " + alignment);
        }
        if (lengthBytes > limits().maxTransferBytes()) {
            throw new IllegalArgumentException("request of " + lengthBytes + " bytes is too long");
        }
    }

    private final class Tables implements MetadataAccess {
        @Override
        public void read(long offset, MemorySegment destination) throws BlockException {
            requireOpen();
            if (offset < 0 || offset + destination.byteSize() > file.lengthBytes()) {
                throw new BlockException(
                        Kind.IO,
                        "'" + file.name() + "': read of " + offset + "+" + destination.byteSize()
                                + " reaches behind the end");
            }
            file.read(offset, destination);
        }

        @Override
        public void write(long offset, MemorySegment source) throws BlockException {
            requireOpen();
            requireWritable();
            file.write(offset, source);
        }

        @Override
        public Optional<MappedView> map(long reserveBytes) {
            requireOpen();
            return file.map(reserveBytes);
        }
    }
}
