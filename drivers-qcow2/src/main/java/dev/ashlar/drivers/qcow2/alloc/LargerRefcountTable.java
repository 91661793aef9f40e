package dev.ashlar.drivers.qcow2.alloc;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.RefcountWidth;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * A larger refcount table, written but not in use: the header still names the old one.
 *
 * @param table its entries
 * @param offset where it lies
 * @param clusters how long it is
 */
record LargerRefcountTable(long[] table, long offset, long clusters) {
    private static final long MAX_ENTRIES = (8L << 20) / 8;

    /**
     * Writes a larger table behind all that the old one covers: new blocks, which count themselves and the table, then the table. Not yet durable.
     *
     * @param old entries of the table in use, all of them on disk
     */
    static LargerRefcountTable write(ImageFile file, long[] old) throws BlockException {
        ClusterGeometry geometry = file.geometry();
        int blockBits = geometry.refcountBlockBits();
        long entries = Math.max(old.length + 1L, old.length * 3L / 2);
        long blocks = 1;
        long tableClusters;
        while (true) {
            entries = geometry.clustersFor(entries * 8) * geometry.clusterBytes() / 8;
            tableClusters = geometry.clustersFor(entries * 8);
            long needed = (blocks + tableClusters + (1L << blockBits) - 1) >>> blockBits;
            if (needed > blocks) {
                blocks = needed;
            } else if (old.length + blocks > entries) {
                entries = old.length + blocks;
            } else {
                break;
            }
        }
        if (entries > MAX_ENTRIES) {
            throw new BlockException(
                    Kind.TOO_LARGE, "Reference count table too large: the image file can't grow any further");
        }
        return write(file, Arrays.copyOf(old, (int) entries), old.length, (int) blocks, tableClusters);
    }

    private static LargerRefcountTable write(ImageFile file, long[] table, int used, int blocks, long tableClusters)
            throws BlockException {
        ClusterGeometry geometry = file.geometry();
        long start = (long) used << geometry.refcountBlockBits();
        long counted = blocks + tableClusters;
        file.event(BlockEvent.REFTABLE_GROW);
        file.claim(geometry.clusterOffset(start), counted * geometry.clusterBytes());
        file.event(BlockEvent.REFBLOCK_ALLOC_WRITE_BLOCKS);
        for (int i = 0; i < blocks; i++) {
            long offset = geometry.clusterOffset(start + i);
            table[used + i] = offset;
            MemorySegment block = MemorySegment.ofArray(new byte[geometry.clusterBytes()]);
            long here = Math.min(counted - ((long) i << geometry.refcountBlockBits()), geometry.refcountBlockEntries());
            for (int j = 0; j < here; j++) {
                RefcountWidth.set(block, geometry.refcountOrder(), j, 1);
            }
            file.write(offset, block);
        }
        long offset = geometry.clusterOffset(start + blocks);
        file.write(RefcountTable.tableWrite(table, offset, 0, table.length, BlockEvent.REFBLOCK_ALLOC_WRITE_TABLE));
        return new LargerRefcountTable(table, offset, tableClusters);
    }
}
