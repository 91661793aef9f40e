package dev.ashlar.drivers.qcow2.metadata;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.drivers.qcow2.format.Bits;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * One cluster of metadata (an L2 table or a refcount block) in private memory: the truth while it differs from the disk. Guarded by the
 * image's metadata lock; words may be read without it under an optimistic stamp.
 */
public final class TableBuffer {
    private final MemorySegment data;
    private final long hostOffset;
    private int dirtyFrom;
    private int dirtyTo;
    private boolean fresh;

    private TableBuffer(MemorySegment data, long hostOffset, boolean fresh) {
        this.data = data;
        this.hostOffset = hostOffset;
        this.fresh = fresh;
        this.dirtyFrom = fresh ? 0 : Integer.MAX_VALUE;
        this.dirtyTo = fresh ? (int) data.byteSize() : 0;
    }

    /** A table that no durable reference names yet; all zeros. */
    public static TableBuffer fresh(long hostOffset, int bytes) {
        return new TableBuffer(Arena.ofAuto().allocate(bytes, 8), hostOffset, true);
    }

    /** The table as it is on disk. */
    public static TableBuffer load(MetadataStore store, long hostOffset, int bytes) throws BlockException {
        MemorySegment data = Arena.ofAuto().allocate(bytes, 8);
        store.read(hostOffset, data);
        return new TableBuffer(data, hostOffset, false);
    }

    public MemorySegment data() {
        return data;
    }

    public long hostOffset() {
        return hostOffset;
    }

    /** No durable reference names this table: it is written whole before one does (rule R2). */
    public boolean isFresh() {
        return fresh;
    }

    public boolean isDirty() {
        return dirtyFrom < dirtyTo;
    }

    /** The big-endian word at {@code byteOffset}. */
    public long word(long byteOffset) {
        return Bits.u64(data, byteOffset);
    }

    public void putWord(long byteOffset, long value) {
        Bits.putU64(data, byteOffset, value);
        touch((int) byteOffset, (int) byteOffset + 8);
    }

    /** Marks bytes as changed; they are written in whole sectors. */
    public void touch(int fromByte, int toByte) {
        dirtyFrom = Math.min(dirtyFrom, fromByte & -512);
        dirtyTo = Math.max(dirtyTo, Math.min((toByte + 511) & -512, (int) data.byteSize()));
    }

    /**
     * Takes a copy of what changed, to be written without the lock, and counts as clean from now on.
     *
     * @param event what the write is announced as
     */
    public PendingWrite takeDirty(BlockEvent event) {
        MemorySegment copy = Arena.ofAuto().allocate(dirtyTo - dirtyFrom, 8);
        MemorySegment.copy(data, dirtyFrom, copy, 0, copy.byteSize());
        PendingWrite write = new PendingWrite(hostOffset + dirtyFrom, copy, event);
        dirtyFrom = Integer.MAX_VALUE;
        dirtyTo = 0;
        fresh = false;
        return write;
    }

    /**
     * Bytes on their way to the disk.
     *
     * @param event what the write is announced as
     */
    public record PendingWrite(long hostOffset, MemorySegment bytes, BlockEvent event) {}
}
