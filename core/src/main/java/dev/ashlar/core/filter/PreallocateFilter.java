package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A node whose file is longer than it says. A write behind the file's end first makes the file longer than needed, with zeros that the
 * host reserves. Closing cuts off what was not used.
 *
 * <pre>
 *  0                 dataEnd                 fileEnd
 *  +--------------------+----------------------+
 *  | what parents see   | reserved, zeros      |
 *  +--------------------+----------------------+
 * </pre>
 *
 * Every write passes {@link #cover} before it runs, so none is under way at or behind {@code fileEnd} while zeros are written there.
 */
final class PreallocateFilter extends ChildFilter {
    private final long stepBytes;
    private final long alignBytes;
    private final boolean writable;
    private final ReentrantLock lock = new ReentrantLock();

    // Guarded by the lock; dataEnd only grows but for truncation, and is read without it.
    private volatile long dataEnd;
    private long fileEnd;
    /** Off after a failure: writes may then run behind {@link #fileEnd}. */
    private boolean active;

    PreallocateFilter(ChildAccess child, long stepBytes, long alignBytes, boolean writable) throws BlockException {
        super(child);
        this.stepBytes = stepBytes;
        this.alignBytes = alignBytes;
        this.writable = writable;
        this.active = writable;
        this.dataEnd = child.lengthBytes();
        this.fileEnd = dataEnd;
    }

    @Override
    public long lengthBytes() throws BlockException {
        return writable ? dataEnd : child().lengthBytes();
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        cover(offset + source.byteSize());
        child().write(offset, source);
    }

    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        cover(offset + lengthBytes);
        child().writeZeroes(offset, lengthBytes, mayUnmap);
    }

    @Override
    public void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        lock.lock();
        try {
            if (lengthBytes > dataEnd && preallocation == Preallocation.FALLOC && active && lengthBytes <= fileEnd) {
                dataEnd = lengthBytes;
                return;
            }
            if (lengthBytes > dataEnd) {
                // Otherwise OFF would keep reserved space, and FULL would not write it.
                dropReserve();
            }
            child().truncate(lengthBytes, preallocation);
            dataEnd = lengthBytes;
            fileEnd = lengthBytes;
            active = writable;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public MetadataAccess metadata() {
        MetadataAccess below = child().metadata();
        return new MetadataAccess() {
            @Override
            public void read(long offset, MemorySegment destination) throws BlockException {
                below.read(offset, destination);
            }

            @Override
            public void write(long offset, MemorySegment source) throws BlockException {
                cover(offset + source.byteSize());
                below.write(offset, source);
            }

            @Override
            public void claim(long offset, long lengthBytes) throws BlockException {
                cover(offset + lengthBytes);
                below.claim(offset, lengthBytes);
            }

            @Override
            public Optional<MappedView> map(long reserveBytes) throws BlockException {
                return below.map(reserveBytes);
            }
        };
    }

    @Override
    public void close() throws BlockException {
        lock.lock();
        try {
            if (writable) {
                dropReserve();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Makes the file reach behind {@code end}, if it does not; a failure is none: the write itself will make it longer. */
    private void cover(long end) {
        if (!writable || end <= dataEnd) {
            return;
        }
        lock.lock();
        try {
            if (end > fileEnd && active) {
                reserve(end);
            }
            dataEnd = Math.max(dataEnd, end);
        } finally {
            lock.unlock();
        }
    }

    private void reserve(long end) {
        long wanted = (end + stepBytes + alignBytes - 1) / alignBytes * alignBytes;
        try {
            child().writeZeroes(fileEnd, wanted - fileEnd, false);
            fileEnd = wanted;
        } catch (BlockException e) {
            active = false;
        }
    }

    private void dropReserve() throws BlockException {
        if (child().lengthBytes() > dataEnd) {
            child().truncate(dataEnd, Preallocation.OFF);
            fileEnd = dataEnd;
        }
    }
}
