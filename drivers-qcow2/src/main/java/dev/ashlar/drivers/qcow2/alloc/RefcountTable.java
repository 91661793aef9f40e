package dev.ashlar.drivers.qcow2.alloc;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.RefcountWidth;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.TableBuffer;
import dev.ashlar.drivers.qcow2.metadata.TableBuffer.PendingWrite;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The refcounts of all host clusters: a table of refcount blocks, read where they lie, changed in private buffers and written back in order.
 * Guarded by the image's metadata lock.
 *
 * <p>An increment may be written at any time; a decrement is made here only once the reference it stood for is durably gone (rule R4). So the
 * blocks can be written back whenever it suits, as long as that is before the references that were counted (rule R1).
 */
public final class RefcountTable {
    private final ImageFile file;
    private final ClusterGeometry geometry;
    private long tableOffset;
    private long[] table;
    private @Nullable TableBuffer[] buffers;
    /** Entries {@code [from, to)} of the table that differ from the disk: blocks that are new. */
    private int dirtyFrom = Integer.MAX_VALUE;

    private int dirtyTo;
    private int dirtyBlocks;
    /** Asked before a block is changed; null while the image is being opened. */
    private @Nullable OverlapChecks overlaps;

    public RefcountTable(ImageFile file, long tableOffset, long tableClusters) throws BlockException {
        this.file = file;
        this.geometry = file.geometry();
        this.tableOffset = tableOffset;
        int entries = (int) (tableClusters * geometry.clusterBytes() / 8);
        if (entries > 0) {
            file.event(BlockEvent.REFTABLE_LOAD);
        }
        this.table = file.tableWords(tableOffset, entries);
        this.buffers = new TableBuffer[entries];
    }

    /** From now on no block is changed that lies over other metadata. */
    public void guard(OverlapChecks checks) {
        overlaps = checks;
    }

    /** Puts another table in place, which the header names durably and of which all blocks are on disk. */
    public void replace(long[] entries, long hostOffset) {
        table = entries.clone();
        buffers = new TableBuffer[entries.length];
        tableOffset = hostOffset;
        dirtyFrom = Integer.MAX_VALUE;
        dirtyTo = 0;
        dirtyBlocks = 0;
    }

    public long tableOffset() {
        return tableOffset;
    }

    public long tableClusters() {
        return geometry.clustersFor(table.length * 8L);
    }

    /** Number of entries of the table, used or not. */
    public int tableEntries() {
        return table.length;
    }

    /** Host offset of a refcount block, 0 for none; as it stands in the table. */
    public long blockOffset(int index) {
        return table[index];
    }

    /** Clusters that the table as it is can count. */
    long coverage() {
        return (long) table.length << geometry.refcountBlockBits();
    }

    public boolean hasBlock(int index) {
        return table[index] != 0;
    }

    /** Whether the refcount of a cluster has a place. */
    public boolean hasBlockFor(long cluster) {
        long index = cluster >>> geometry.refcountBlockBits();
        return index < table.length && table[(int) index] != 0;
    }

    public long get(long cluster) throws BlockException {
        long index = cluster >>> geometry.refcountBlockBits();
        if (index >= table.length || table[(int) index] == 0) {
            return 0;
        }
        int within = (int) cluster & (geometry.refcountBlockEntries() - 1);
        TableBuffer buffer = buffers[(int) index];
        if (buffer != null) {
            return RefcountWidth.get(buffer.data(), 0, geometry.refcountOrder(), within);
        }
        int order = geometry.refcountOrder();
        long hostOffset = checkedBlock((int) index) + RefcountWidth.wordByte(order, within);
        file.loading(BlockEvent.REFBLOCK_LOAD, hostOffset);
        long word = file.store().u64(hostOffset);
        return RefcountWidth.fromWord(word, order, within);
    }

    /** The block as it is now, read-only. */
    public MemorySegment view(int index) throws BlockException {
        TableBuffer buffer = buffers[index];
        if (buffer != null) {
            return buffer.data();
        }
        long hostOffset = checkedBlock(index);
        file.loading(BlockEvent.REFBLOCK_LOAD, hostOffset);
        return file.store().view(hostOffset, geometry.clusterBytes());
    }

    private long checkedBlock(int index) throws BlockException {
        long offset = table[index];
        if (!geometry.isAligned(offset) || offset <= 0 || offset > ClusterGeometry.MAX_HOST_OFFSET) {
            throw new BlockException(
                    Kind.CORRUPT,
                    "Refblock offset 0x" + Long.toHexString(offset) + " unaligned (reftable index: 0x"
                            + Integer.toHexString(index) + ")",
                    "Input/output error",
                    null);
        }
        return offset;
    }

    private TableBuffer buffer(int index) throws BlockException {
        TableBuffer buffer = buffers[index];
        if (buffer == null) {
            long offset = checkedBlock(index);
            if (overlaps != null) {
                overlaps.requireFree(offset, geometry.clusterBytes(), MetadataClass.REFCOUNT_BLOCK);
            }
            file.loading(BlockEvent.REFBLOCK_LOAD, offset);
            buffer = TableBuffer.load(file.store(), offset, geometry.clusterBytes());
            buffers[index] = buffer;
        }
        return buffer;
    }

    /**
     * Adds {@code delta} (1 or -1) to the refcounts of a run of clusters: all or, when one would leave its range, none.
     *
     * @throws BlockException INVALID for an overflow, CORRUPT for a count below 0
     */
    public void add(long firstCluster, long count, int delta) throws BlockException {
        long done = 0;
        try {
            while (done < count) {
                long cluster = firstCluster + done;
                long index = cluster >>> geometry.refcountBlockBits();
                int from = (int) cluster & (geometry.refcountBlockEntries() - 1);
                int take = (int) Math.min(count - done, geometry.refcountBlockEntries() - from);
                if (index >= table.length || table[(int) index] == 0) {
                    throw new BlockException(
                            Kind.CORRUPT,
                            "Cluster offset 0x" + Long.toHexString(geometry.clusterOffset(cluster))
                                    + " has no refcount");
                }
                addInBlock((int) index, from, take, delta, cluster);
                done += take;
            }
        } catch (BlockException e) {
            if (done > 0) {
                add(firstCluster, done, -delta);
            }
            throw e;
        }
    }

    private void addInBlock(int index, int from, int count, int delta, long firstCluster) throws BlockException {
        TableBuffer buffer = buffer(index);
        int order = geometry.refcountOrder();
        int failed = RefcountRange.add(buffer.data(), order, from, count, delta, geometry.maxRefcount());
        if (failed >= 0) {
            throw outOfRange(firstCluster + (failed - from), delta);
        }
        touch(buffer, RefcountWidth.firstByte(order, from), RefcountWidth.endByte(order, from + count));
    }

    private void touch(TableBuffer buffer, int fromByte, int toByte) {
        if (!buffer.isDirty()) {
            dirtyBlocks++;
        }
        buffer.touch(fromByte, toByte);
    }

    private BlockException outOfRange(long cluster, int delta) {
        String where = "cluster at offset 0x" + Long.toHexString(geometry.clusterOffset(cluster));
        return delta > 0
                ? new BlockException(
                        Kind.INVALID,
                        "Refcount of the " + where + " would exceed "
                                + Long.toUnsignedString(geometry.maxRefcount()) + " ("
                                + geometry.refcountBits() + " bits)")
                : new BlockException(Kind.CORRUPT, "Refcount of the " + where + " is 0 already");
    }

    /**
     * Whether clearly more clusters are counted than the host has space for: they were preallocated without it.
     *
     * @param allocatedClusters -1 for not known
     */
    public boolean countsMoreThan(long allocatedClusters) throws BlockException {
        if (allocatedClusters < 0) {
            return false;
        }
        long threshold = Math.max(allocatedClusters * 10 / 9, allocatedClusters + 2);
        long counted = 0;
        for (int index = 0; index < table.length; index++) {
            MemorySegment block = table[index] == 0 ? null : view(index);
            for (int i = 0; block != null && i < geometry.refcountBlockEntries(); i++) {
                counted += RefcountWidth.get(block, 0, geometry.refcountOrder(), i) != 0 ? 1 : 0;
            }
            if (counted >= threshold) {
                return true;
            }
        }
        return false;
    }

    /** The last cluster that is counted, or -1. */
    public long lastCounted() throws BlockException {
        int order = geometry.refcountOrder();
        for (int index = table.length - 1; index >= 0; index--) {
            if (table[index] == 0) {
                continue;
            }
            MemorySegment block = view(index);
            for (int i = geometry.refcountBlockEntries() - 1; i >= 0; i--) {
                if (RefcountWidth.get(block, 0, order, i) != 0) {
                    return ((long) index << geometry.refcountBlockBits()) + i;
                }
            }
        }
        return -1;
    }

    /**
     * Takes blocks that count nothing but themselves out of the end of the table, in memory. They stay counted themselves until the table is durable without
     * them.
     *
     * @return the clusters they lie in
     */
    List<Long> removeEmptyBlocks() throws BlockException {
        List<Long> removed = new ArrayList<>();
        for (int index = table.length - 1; index > 0; index--) {
            if (table[index] == 0) {
                continue;
            }
            long own = geometry.clusterIndex(checkedBlock(index));
            if (!countsNothingBut(index, own)) {
                break;
            }
            removed.add(own);
            forgetBlock(index);
        }
        return removed;
    }

    private boolean countsNothingBut(int index, long ownCluster) throws BlockException {
        MemorySegment block = view(index);
        long first = (long) index << geometry.refcountBlockBits();
        for (int i = 0; i < geometry.refcountBlockEntries(); i++) {
            long count = RefcountWidth.get(block, 0, geometry.refcountOrder(), i);
            if (count != 0 && (first + i != ownCluster || count != 1)) {
                return false;
            }
        }
        return true;
    }

    private void forgetBlock(int index) {
        TableBuffer buffer = buffers[index];
        if (buffer != null && buffer.isDirty()) {
            dirtyBlocks--;
        }
        buffers[index] = null;
        table[index] = 0;
        dirtyFrom = Math.min(dirtyFrom, index);
        dirtyTo = Math.max(dirtyTo, index + 1);
    }

    /** Sets one refcount as a repair does. The block must exist. */
    public void set(long cluster, long value) throws BlockException {
        TableBuffer buffer = buffer((int) (cluster >>> geometry.refcountBlockBits()));
        int within = (int) cluster & (geometry.refcountBlockEntries() - 1);
        int order = geometry.refcountOrder();
        RefcountWidth.set(buffer.data(), order, within, value);
        touch(buffer, RefcountWidth.firstByte(order, within), RefcountWidth.endByte(order, within + 1));
    }

    /** Adds an empty block for a part of the file that has none; it lies in the first cluster of that part and counts itself. */
    void addBlock(int index) throws BlockException {
        addBlocks(index, 1, 0);
    }

    /**
     * Adds blocks for parts of the file that have none. They lie one behind the other from the first cluster of the first part on, and count themselves once, and as
     * many clusters behind them.
     */
    void addBlocks(int firstIndex, int blocks, long clustersBehind) throws BlockException {
        long first = (long) firstIndex << geometry.refcountBlockBits();
        if (geometry.clusterOffset(first + blocks + clustersBehind - 1) > ClusterGeometry.MAX_HOST_OFFSET) {
            throw new BlockException(Kind.TOO_LARGE, "The image file can't grow any further");
        }
        file.event(BlockEvent.REFBLOCK_ALLOC);
        file.claim(geometry.clusterOffset(first), (long) blocks * geometry.clusterBytes());
        for (int i = 0; i < blocks; i++) {
            long offset = geometry.clusterOffset(first + i);
            buffers[firstIndex + i] = TableBuffer.fresh(offset, geometry.clusterBytes());
            table[firstIndex + i] = offset;
            dirtyBlocks++;
        }
        dirtyFrom = Math.min(dirtyFrom, firstIndex);
        dirtyTo = Math.max(dirtyTo, firstIndex + blocks);
        add(first, blocks + clustersBehind, 1);
    }

    /** Parts of the file up to the last one that has a block. */
    int partsWithBlocks() {
        for (int index = table.length; index > 0; index--) {
            if (table[index - 1] != 0) {
                return index;
            }
        }
        return 0;
    }

    /** What a write-back has to put on disk, taken under the lock. */
    public Changes takeChanges() {
        List<PendingWrite> blocks = new ArrayList<>();
        if (dirtyBlocks > 0) {
            for (TableBuffer buffer : buffers) {
                if (buffer != null && buffer.isDirty()) {
                    blocks.add(buffer.takeDirty(
                            buffer.isFresh() ? BlockEvent.REFBLOCK_ALLOC_WRITE : BlockEvent.REFBLOCK_UPDATE_PART));
                }
            }
            dirtyBlocks = 0;
        }
        PendingWrite entries = null;
        if (dirtyFrom < dirtyTo) {
            entries = tableWrite(table, tableOffset, dirtyFrom, dirtyTo, BlockEvent.REFBLOCK_ALLOC_HOOKUP);
            dirtyFrom = Integer.MAX_VALUE;
            dirtyTo = 0;
        }
        return new Changes(blocks, entries);
    }

    static PendingWrite tableWrite(long[] table, long tableOffset, int from, int to, BlockEvent event) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[8 * (to - from)]);
        for (int i = from; i < to; i++) {
            Bits.putU64(bytes, 8L * (i - from), table[i]);
        }
        return new PendingWrite(tableOffset + 8L * from, bytes, event);
    }

    /**
     * Changed refcounts on their way to the disk.
     *
     * @param blocks of new blocks all bytes, of others the changed sectors
     * @param tableEntries references to new blocks, or null
     */
    public record Changes(
            List<PendingWrite> blocks, @Nullable PendingWrite tableEntries) {
        public boolean isEmpty() {
            return blocks.isEmpty() && tableEntries == null;
        }

        /**
         * Writes the blocks, makes new ones durable before the table names them. The counts are durable after the caller's next flush.
         */
        public void write(ImageFile file) throws BlockException {
            for (PendingWrite block : blocks) {
                file.write(block);
            }
            if (tableEntries != null) {
                file.flush();
                file.write(tableEntries);
            }
        }
    }

    /** Table and blocks, where they lie. */
    public void collect(MetadataRegions.Builder regions) {
        regions.add(MetadataClass.REFCOUNT_TABLE, tableOffset, table.length * 8L);
        for (long block : table) {
            if (block != 0) {
                regions.add(MetadataClass.REFCOUNT_BLOCK, block, geometry.clusterBytes());
            }
        }
    }

    /** Forgets buffers that equal the disk. Not while {@link Changes} are under way. */
    public void dropClean() {
        for (int i = 0; i < buffers.length; i++) {
            TableBuffer buffer = buffers[i];
            if (buffer != null && !buffer.isDirty()) {
                buffers[i] = null;
            }
        }
    }

    /** As {@link LargerRefcountTable#write}. */
    LargerRefcountTable prepareGrowth() throws BlockException {
        if (dirtyFrom < dirtyTo) {
            // entries of blocks that are not durable yet must not become durable with the new table
            throw new IllegalStateException("the refcount table grows only after a write-back");
        }
        return LargerRefcountTable.write(file, table);
    }

    /** Switches to the larger table; the header names it durably. Returns where the old one was. */
    void adopt(LargerRefcountTable growth) {
        table = growth.table();
        buffers = Arrays.copyOf(buffers, table.length);
        tableOffset = growth.offset();
    }
}
