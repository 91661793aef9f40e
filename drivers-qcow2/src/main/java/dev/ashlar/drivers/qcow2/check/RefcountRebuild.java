package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.format.RefcountWidth;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Makes new refcount blocks and a new refcount table from what really refers to each cluster. All of it goes to clusters that nothing refers to, is durable, and
 * only then does one write of the header's sector put it in force (rules R1 to R3 and R7); the old table and blocks are leaks from then on. Cut short before that, the
 * image is as it was.
 */
final class RefcountRebuild {
    private final MetadataContext context;
    private final ImageFile file;
    private final ClusterGeometry geometry;
    private final ReferenceCounts references;
    /** Offsets of the new blocks, 0 where none is needed; longer than {@link #entries}, so that it does not grow by single clusters. */
    private long[] table = new long[0];
    /** Of the new table: whole clusters. */
    private int entries;

    private final Placement placement;

    private final long lowest;

    /** @param lowest cluster that is taken */
    RefcountRebuild(MetadataContext context, ReferenceCounts references, long lowest) {
        this.lowest = lowest;
        this.context = context;
        this.file = context.file();
        this.geometry = context.geometry();
        this.references = references;
        this.placement = new Placement(references);
    }

    void run() throws BlockException {
        long entriesPerCluster = geometry.clusterBytes() / 8;
        for (int stripe = 0; stripe < references.stripes(); stripe++) {
            if (!references.isEmpty(stripe)) {
                long first = (long) stripe << ReferenceCounts.STRIPE_BITS;
                long end = Math.min(first + ReferenceCounts.STRIPE_CLUSTERS, references.clusters());
                placeBlocks(first, end);
            }
        }
        long tableOffset;
        long clusters;
        while (true) {
            clusters = entries / entriesPerCluster;
            if (clusters * geometry.clusterBytes() > Qcow2Header.MAX_REFCOUNT_TABLE_BYTES) {
                throw new BlockException(Kind.TOO_LARGE, "ERROR allocating reftable: File too large");
            }
            long first = placement.take(clusters, lowest);
            placeBlocks(first, first + clusters);
            // blocks of blocks: each may lie in a part of the file that has none yet
            if (entries / entriesPerCluster == clusters) {
                tableOffset = geometry.clusterOffset(first);
                break;
            }
            placement.giveBack(first, clusters);
        }
        write(tableOffset, clusters);
    }

    /** Sees to blocks for all counts in a range that are not 0. */
    private void placeBlocks(long first, long end) throws BlockException {
        for (long cluster = first; cluster < end; cluster++) {
            long block = cluster >>> geometry.refcountBlockBits();
            if (hasBlock(block)) {
                cluster = ((block + 1) << geometry.refcountBlockBits()) - 1;
            } else if (count(cluster) != 0) {
                place(block);
            }
        }
    }

    private void place(long block) throws BlockException {
        if (block * 8 >= Qcow2Header.MAX_REFCOUNT_TABLE_BYTES) {
            throw new BlockException(Kind.TOO_LARGE, "ERROR allocating refblock: File too large");
        }
        if (block >= entries) {
            int entriesPerCluster = geometry.clusterBytes() / 8;
            entries = (int) (block / entriesPerCluster + 1) * entriesPerCluster;
            if (entries > table.length) {
                table = Arrays.copyOf(table, Math.max(entries, 2 * table.length));
            }
        }
        long cluster = placement.take(1, Math.max(lowest, block << geometry.refcountBlockBits()));
        table[(int) block] = geometry.clusterOffset(cluster);
        long own = cluster >>> geometry.refcountBlockBits();
        if (!hasBlock(own)) {
            place(own);
        }
    }

    private boolean hasBlock(long block) {
        return block < entries && table[(int) block] != 0;
    }

    private long count(long cluster) {
        return placement.isTaken(cluster) ? 1 : references.get(cluster);
    }

    private void write(long tableOffset, long clusters) throws BlockException {
        MemorySegment bytes = MemorySegment.ofArray(new byte[(int) (clusters * geometry.clusterBytes())]);
        for (int i = 0; i < entries; i++) {
            if (table[i] != 0) {
                Bits.putU64(bytes, 8L * i, table[i]);
                file.claim(table[i], geometry.clusterBytes());
                file.write(table[i], block(i));
            }
        }
        file.claim(tableOffset, bytes.byteSize());
        file.write(tableOffset, bytes);
        file.flush();
        context.header().setRefcountTable(tableOffset, clusters);
        context.header().write(file);
        file.flush();
        context.refcounts().replace(Arrays.copyOf(table, (int) (bytes.byteSize() / 8)), tableOffset);
        context.allocator().countsChanged();
    }

    private MemorySegment block(int index) {
        MemorySegment block = MemorySegment.ofArray(new byte[geometry.clusterBytes()]);
        long first = (long) index << geometry.refcountBlockBits();
        for (int i = 0; i < geometry.refcountBlockEntries(); i++) {
            long count = count(first + i);
            if (count != 0) {
                RefcountWidth.set(block, geometry.refcountOrder(), i, count);
            }
        }
        return block;
    }
}
