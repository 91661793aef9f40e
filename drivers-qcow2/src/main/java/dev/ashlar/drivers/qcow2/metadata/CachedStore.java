package dev.ashlar.drivers.qcow2.metadata;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.drivers.qcow2.format.Bits;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Tables read in chunks into a bounded cache, least recently used first out: for clusters under 4 KiB and children that can't be
 * mapped. Writes pass through it to the file.
 */
public final class CachedStore implements MetadataStore {
    static final int CHUNK_BYTES = 4096;
    private static final int CAPACITY_CHUNKS = 2048;

    private final ChildAccess file;
    private final MetadataAccess access;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<Long, Chunk> chunks = new LinkedHashMap<>(64, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, Chunk> eldest) {
            return size() > CAPACITY_CHUNKS;
        }
    };

    /** Bytes of the file from a multiple of {@link #CHUNK_BYTES}; shorter at the end of the file. */
    private record Chunk(MemorySegment bytes, int lengthBytes) {}

    public CachedStore(ChildAccess file) {
        this.file = file;
        this.access = file.metadata();
    }

    @Override
    public long u64(long hostOffset) throws BlockException {
        if ((hostOffset & (CHUNK_BYTES - 1)) > CHUNK_BYTES - 8) {
            return Bits.u64(view(hostOffset, 8), 0);
        }
        lock.lock();
        try {
            return Bits.u64(chunk(hostOffset, 8).bytes(), hostOffset & (CHUNK_BYTES - 1));
        } finally {
            lock.unlock();
        }
    }

    @Override
    public long u64IfResident(long hostOffset, long fallback) {
        return fallback;
    }

    @Override
    public boolean isAtHand(long hostOffset) {
        lock.lock();
        try {
            return chunks.containsKey(hostOffset & -CHUNK_BYTES);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void read(long hostOffset, MemorySegment destination) throws BlockException {
        long bytes = destination.byteSize();
        if (bytes > (long) CHUNK_BYTES * 16) {
            requireInside(hostOffset, bytes);
            access.read(hostOffset, destination);
            return;
        }
        lock.lock();
        try {
            for (long done = 0; done < bytes; ) {
                long at = hostOffset + done;
                int within = (int) (at & (CHUNK_BYTES - 1));
                int take = (int) Math.min(bytes - done, CHUNK_BYTES - within);
                MemorySegment.copy(chunk(at, take).bytes(), within, destination, done, take);
                done += take;
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public MemorySegment view(long hostOffset, long lengthBytes) throws BlockException {
        requireInside(hostOffset, lengthBytes);
        MemorySegment copy = MemorySegment.ofArray(new byte[Math.toIntExact(lengthBytes)]);
        read(hostOffset, copy);
        return copy;
    }

    @Override
    public void write(long hostOffset, MemorySegment source) throws BlockException {
        lock.lock();
        try {
            forget(hostOffset, source.byteSize());
            access.write(hostOffset, source);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void forget(long hostOffset, long lengthBytes) {
        lock.lock();
        try {
            for (long at = hostOffset & -CHUNK_BYTES; at < hostOffset + lengthBytes; at += CHUNK_BYTES) {
                chunks.remove(at);
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void cut(long lengthBytes) {
        lock.lock();
        try {
            chunks.keySet().removeIf(first -> first + CHUNK_BYTES > lengthBytes);
        } finally {
            lock.unlock();
        }
    }

    private Chunk chunk(long hostOffset, int needed) throws BlockException {
        long first = hostOffset & -CHUNK_BYTES;
        int within = (int) (hostOffset - first);
        Chunk chunk = chunks.get(first);
        if (chunk == null || chunk.lengthBytes() < within + needed) {
            requireInside(hostOffset, needed);
            int lengthBytes = (int) Math.min(CHUNK_BYTES, file.lengthBytes() - first);
            MemorySegment bytes = Arena.ofAuto().allocate(CHUNK_BYTES, 8);
            access.read(first, bytes.asSlice(0, lengthBytes));
            chunk = new Chunk(bytes, lengthBytes);
            chunks.put(first, chunk);
        }
        return chunk;
    }

    private void requireInside(long hostOffset, long bytes) throws BlockException {
        if (hostOffset < 0 || hostOffset > file.lengthBytes() - bytes) {
            throw new BlockException(
                    Kind.IO,
                    "Metadata at offset 0x" + Long.toHexString(hostOffset) + " lies behind the end of the file");
        }
    }

    @Override
    public void close() {
        lock.lock();
        try {
            chunks.clear();
        } finally {
            lock.unlock();
        }
    }
}
