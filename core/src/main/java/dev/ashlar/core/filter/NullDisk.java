package dev.ashlar.core.filter;

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
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;

/** A disk of a fixed length that stores nothing. */
final class NullDisk implements ProtocolInstance {
    private final String fileName;
    private final long lengthBytes;
    private final long latencyNanos;
    private final boolean readsZeroes;

    NullDisk(String fileName, long lengthBytes, long latencyNanos, boolean readsZeroes) {
        this.fileName = fileName;
        this.lengthBytes = lengthBytes;
        this.latencyNanos = latencyNanos;
        this.readsZeroes = readsZeroes;
    }

    long latencyNanos() {
        return latencyNanos;
    }

    /** What a read does to the buffer. */
    void fill(MemorySegment destination) {
        if (readsZeroes) {
            destination.fill((byte) 0);
        }
    }

    @Override
    public String fileName() {
        return fileName;
    }

    @Override
    public BlockLimits limits() {
        return BlockLimits.NONE;
    }

    @Override
    public long lengthBytes() {
        return lengthBytes;
    }

    @Override
    public void read(long offset, MemorySegment destination) {
        fill(destination);
        pause();
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        requireInside(offset, source.byteSize());
        pause();
    }

    @Override
    public void writeZeroes(long offset, long count, boolean mayUnmap) throws BlockException {
        requireInside(offset, count);
        pause();
    }

    @Override
    public void discard(long offset, long count) {
        pause();
    }

    @Override
    public void flush() {
        pause();
    }

    @Override
    public HostExtent extentAt(long offset, long count) {
        return new HostExtent(readsZeroes, count);
    }

    @Override
    public void truncate(long newLengthBytes, Preallocation preallocation) throws BlockException {
        if (newLengthBytes != lengthBytes) {
            throw new BlockException(Kind.UNSUPPORTED, "Image format driver does not support resize");
        }
    }

    @Override
    public long allocatedBytes() {
        return 0;
    }

    @Override
    public IoQueue openQueue(int capacity) {
        return new NullQueue(this, capacity);
    }

    @Override
    public MetadataAccess metadata() {
        return new MetadataAccess() {
            @Override
            public void read(long offset, MemorySegment destination) throws BlockException {
                requireInside(offset, destination.byteSize());
                NullDisk.this.read(offset, destination);
            }

            @Override
            public void write(long offset, MemorySegment source) throws BlockException {
                NullDisk.this.write(offset, source);
            }

            @Override
            public Optional<MappedView> map(long reserveBytes) {
                return Optional.empty();
            }
        };
    }

    @Override
    public void updatePermissions(Set<Permission> used, Set<Permission> shared) {}

    @Override
    public void syncName() {}

    @Override
    public void close() {}

    private void requireInside(long offset, long count) throws BlockException {
        if (offset > lengthBytes - count) {
            throw new BlockException(Kind.NO_SPACE, "'" + fileName + "' ends at " + lengthBytes + " and does not grow");
        }
    }

    private void pause() {
        long until = System.nanoTime() + latencyNanos;
        boolean interrupted = false;
        for (long left = latencyNanos; left > 0; left = until - System.nanoTime()) {
            LockSupport.parkNanos(this, left);
            // A pending interrupt would end each park at once.
            interrupted |= Thread.interrupted();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
