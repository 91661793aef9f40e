package dev.ashlar.drivers.qcow2.metadata;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.drivers.qcow2.format.AlternateHex;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * An L1 table in memory with the L2 tables that have changed: the active one of an image, or a snapshot's, which never changes. Changes are guarded by
 * the image's metadata lock; look-ups may run without it under an optimistic stamp.
 */
public final class L1Table {
    private final ImageFile file;
    private final ClusterGeometry geometry;
    private final L2Layout layout;
    private final long hostOffset;
    private final long[] entries;
    private final @Nullable TableBuffer[] buffers;
    private int dirtyFrom = Integer.MAX_VALUE;
    private int dirtyTo;
    private int dirtyTables;
    /** Per L2 table the writes under way that will change it. */
    private final int[] pins;

    private L1Table(ImageFile file, long hostOffset, long[] entries) {
        this.file = file;
        this.geometry = file.geometry();
        this.layout = file.layout();
        this.hostOffset = hostOffset;
        this.entries = entries;
        this.buffers = new TableBuffer[entries.length];
        this.pins = new int[entries.length];
    }

    /** Reads a table of which offset and length were validated against the file. */
    public static L1Table load(ImageFile file, long hostOffset, int count) throws BlockException {
        return new L1Table(file, hostOffset, file.tableWords(hostOffset, count));
    }

    /** A table that is not (or will be) at {@code hostOffset}. */
    public static L1Table of(ImageFile file, long hostOffset, long[] entries) {
        return new L1Table(file, hostOffset, entries);
    }

    public long hostOffset() {
        return hostOffset;
    }

    public int length() {
        return entries.length;
    }

    /** Whether it names no table at all. */
    public boolean isEmpty() {
        for (long entry : entries) {
            if (entry != 0) {
                return false;
            }
        }
        return true;
    }

    public long entry(int index) {
        return entries[index];
    }

    /** Host offset of the L2 table, 0 for none. @throws BlockException CORRUPT for an offset that can't be */
    public long l2Offset(int index) throws BlockException {
        long offset = TableEntry.offset(entries[index]);
        if (!geometry.isAligned(offset)) {
            throw corrupt("L2 table offset 0x" + Long.toHexString(offset) + " unaligned (L1 index: "
                    + AlternateHex.of(index) + ")");
        }
        return offset;
    }

    /** What to throw for an entry of an L2 table that can't be. @param what is wrong with it */
    public BlockException corruptEntry(String what, int l1Index, int l2Index) {
        return corrupt(what + " (L2 offset: 0x" + Long.toHexString(TableEntry.offset(entries[l1Index])) + ", L2 index: "
                + AlternateHex.of(l2Index) + ")");
    }

    private static BlockException corrupt(String message) {
        return new BlockException(Kind.CORRUPT, message, "Input/output error", null);
    }

    /** The first word of an entry of an L2 table; 0 where there is none. */
    public long l2Word(int l1Index, int l2Index) throws BlockException {
        return stored(l1Index, layout.byteOffset(l2Index));
    }

    /** The bitmap beside {@code word}, which {@link #l2Word} gave for the same entry. */
    public long l2Bitmap(int l1Index, int l2Index, long word) throws BlockException {
        return geometry.extendedL2() ? stored(l1Index, layout.byteOffset(l2Index) + 8) : layout.standardBitmap(word);
    }

    private long stored(int l1Index, long byteOffset) throws BlockException {
        TableBuffer buffer = buffers[l1Index];
        if (buffer != null) {
            return buffer.word(byteOffset);
        }
        long offset = l2Offset(l1Index);
        if (offset == 0) {
            return 0;
        }
        file.loading(BlockEvent.L2_LOAD, offset + byteOffset);
        return file.store().u64(offset + byteOffset);
    }

    /** As {@link #l2Word} without I/O, lock or exception; {@code fallback} where that does not do. */
    long l2WordIfResident(int l1Index, int l2Index, long fallback) {
        return storedIfResident(l1Index, layout.byteOffset(l2Index), fallback);
    }

    /** As {@link #l2Bitmap}, likewise. */
    long l2BitmapIfResident(int l1Index, int l2Index, long word, long fallback) {
        return geometry.extendedL2()
                ? storedIfResident(l1Index, layout.byteOffset(l2Index) + 8, fallback)
                : layout.standardBitmap(word);
    }

    private long storedIfResident(int l1Index, long byteOffset, long fallback) {
        TableBuffer buffer = buffers[l1Index];
        if (buffer != null) {
            return buffer.word(byteOffset);
        }
        long offset = TableEntry.offset(entries[l1Index]);
        if (offset == 0 || !geometry.isAligned(offset)) {
            return fallback;
        }
        return file.store().u64IfResident(offset + byteOffset, fallback);
    }

    /** The whole L2 table as it is now, read-only; null where there is none. */
    public @Nullable MemorySegment l2View(int index) throws BlockException {
        TableBuffer buffer = buffers[index];
        if (buffer != null) {
            return buffer.data();
        }
        long offset = l2Offset(index);
        if (offset == 0) {
            return null;
        }
        file.loading(BlockEvent.L2_LOAD, offset);
        return file.store().view(offset, geometry.clusterBytes());
    }

    /** Whether an entry of this table and of another one name the same L2 table, or none. */
    public boolean sharesL2(L1Table other, int index) {
        long own = index < entries.length ? TableEntry.offset(entries[index]) : 0;
        return own == (index < other.entries.length ? TableEntry.offset(other.entries[index]) : 0);
    }

    /** Whether the L2 table may be changed where it is. */
    public boolean ownsL2(int index) {
        return entries[index] != 0 && TableEntry.isCopied(entries[index]);
    }

    /** A write is planned that will change an L2 table which this L1 table owns: it must stay so until {@link #unpin}. */
    public void pin(int index) {
        pins[index]++;
    }

    public void unpin(int index) {
        pins[index]--;
    }

    /** Whether an L2 table differs from the disk, or is about to. */
    public boolean isBusy(int index) {
        TableBuffer buffer = buffers[index];
        return pins[index] > 0 || (buffer != null && buffer.isDirty());
    }

    /** The L2 table, which is not busy, has a second reference: from now on a copy is changed in its place (rule R6). */
    public void shareL2(int index) {
        buffers[index] = null;
        putEntry(index, entries[index] & ~TableEntry.COPIED);
    }

    /**
     * Changes an entry of an L2 table that this L1 table owns. Both words of an extended entry lie in one sector, and reach the disk together.
     *
     * @param bitmap of a standard entry: whether it is to read as zeros
     */
    public void putL2Entry(int l1Index, int l2Index, long word, long bitmap) throws BlockException {
        if (!ownsL2(l1Index)) {
            throw new IllegalStateException("change of a shared L2 table");
        }
        TableBuffer buffer = buffers[l1Index];
        if (buffer == null) {
            file.loading(BlockEvent.L2_LOAD, l2Offset(l1Index));
            buffer = TableBuffer.load(file.store(), l2Offset(l1Index), geometry.clusterBytes());
            buffers[l1Index] = buffer;
        }
        if (!buffer.isDirty()) {
            dirtyTables++;
        }
        long at = layout.byteOffset(l2Index);
        buffer.putWord(at, layout.encodeWord(word, bitmap));
        if (geometry.extendedL2()) {
            buffer.putWord(at + 8, bitmap);
        }
    }

    /** Puts a new L2 table in place, in memory; it is written before the entry that names it. */
    public void putL2Table(int index, TableBuffer table) {
        TableBuffer old = buffers[index];
        if (old == null || !old.isDirty()) {
            dirtyTables++;
        }
        buffers[index] = table;
        putEntry(index, table.hostOffset() | TableEntry.COPIED);
    }

    /** Changes an entry in memory. */
    public void putEntry(int index, long entry) {
        entries[index] = entry;
        dirtyFrom = Math.min(dirtyFrom, index);
        dirtyTo = Math.max(dirtyTo, index + 1);
    }

    /** Takes an L2 table away, in memory; its cluster is the caller's to give up. */
    public void removeL2Table(int index) {
        TableBuffer old = buffers[index];
        if (old != null && old.isDirty()) {
            dirtyTables--;
        }
        buffers[index] = null;
        putEntry(index, 0);
    }

    /** L2 tables that differ from the disk. */
    public int dirtyTables() {
        return dirtyTables;
    }

    /** The changed L2 tables and L1 entries, taken under the lock; see {@link WriteBack}. */
    void takeChanges(WriteBack.Changes into) {
        if (dirtyTables > 0) {
            for (TableBuffer buffer : buffers) {
                if (buffer != null && buffer.isDirty()) {
                    if (buffer.isFresh()) {
                        into.newTables().add(buffer.takeDirty(BlockEvent.L2_ALLOC_WRITE));
                    } else {
                        into.links().add(buffer.takeDirty(BlockEvent.L2_UPDATE));
                    }
                }
            }
            dirtyTables = 0;
        }
        if (dirtyFrom < dirtyTo) {
            into.links()
                    .add(new TableBuffer.PendingWrite(
                            hostOffset + 8L * dirtyFrom, encode(dirtyFrom, dirtyTo), BlockEvent.L1_UPDATE));
            dirtyFrom = Integer.MAX_VALUE;
            dirtyTo = 0;
        }
    }

    /** Entries {@code [from, to)} as they stand on disk. */
    public MemorySegment encode(int from, int to) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[8 * (to - from)]);
        for (int i = from; i < to; i++) {
            Bits.putU64(bytes, 8L * (i - from), entries[i]);
        }
        return bytes;
    }

    /** Forgets buffers that equal the disk. */
    void dropClean() {
        for (int i = 0; i < buffers.length; i++) {
            TableBuffer buffer = buffers[i];
            if (buffer != null && !buffer.isDirty()) {
                buffers[i] = null;
            }
        }
    }

    /** A copy of the entries with other words or another length, for a table that will replace this one. */
    public long[] copyOfEntries(int length) {
        return java.util.Arrays.copyOf(entries, length);
    }
}
