package dev.ashlar.drivers.qcow2.alloc;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.metadata.HeaderSector;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Finds free host clusters, first fit from the lowest that may be free, and counts them. Guarded by the image's metadata lock.
 */
public final class ClusterAllocator {
    /** How far a repair looks behind clusters that tables name. */
    private static final long MAX_CLUSTERS_ASIDE = 1L << 25;

    private final ImageFile file;
    private final ClusterGeometry geometry;
    private final RefcountTable refcounts;
    private final HeaderSector header;
    /** No cluster below it is free. Cluster 0 is the header's, whatever its refcount says. */
    private long lowestMaybeFree = 1;

    /** Where compressed data goes on, in a host cluster that has room left and holds such data already; 0 for nowhere. */
    private long tail;

    private final OverlapChecks overlaps;

    public ClusterAllocator(ImageFile file, RefcountTable refcounts, HeaderSector header, OverlapChecks overlaps) {
        this.file = file;
        this.overlaps = overlaps;
        this.geometry = file.geometry();
        this.refcounts = refcounts;
        this.header = header;
    }

    /** The refcount table covers no free cluster any more: {@link #growTable}, which needs the write-back lock, then try again. */
    public static final class TableFullException extends BlockException {
        private static final long serialVersionUID = 1L;

        TableFullException() {
            super(Kind.NO_SPACE, "The refcount table is full");
        }
    }

    /** Clusters that were allocated. */
    public record Run(long firstCluster, long count) {}

    /**
     * Allocates 1 to {@code wanted} contiguous clusters and counts them once, in memory.
     *
     * @param wanted at least 1
     * @throws TableFullException see there
     */
    public Run allocate(long wanted) throws BlockException {
        Run run = allocateFrom(lowestMaybeFree, wanted);
        lowestMaybeFree = run.firstCluster() + run.count();
        return run;
    }

    /** As {@link #allocate}, from a certain cluster on. */
    Run allocateFrom(long fromCluster, long wanted) throws BlockException {
        file.event(BlockEvent.CLUSTER_ALLOC);
        long cluster = nextFree(fromCluster, false);
        int blockEnd = geometry.refcountBlockEntries();
        int from = (int) cluster & (blockEnd - 1);
        MemorySegment block = refcounts.view((int) (cluster >>> geometry.refcountBlockBits()));
        int to = from + 1;
        while (to < blockEnd
                && to - from < wanted
                && RefcountRange.findZero(block, geometry.refcountOrder(), to, to + 1) == to) {
            to++;
        }
        Run run = new Run(cluster, to - from);
        requireNoMetadata(cluster, run.count());
        refcounts.add(run.firstCluster(), run.count(), 1);
        return run;
    }

    /**
     * Finds space for compressed data, directly behind the last where that is possible, and counts each host cluster that it touches once more.
     *
     * @param sizeBytes at least 1, at most a cluster
     * @return host offset of the first byte, not aligned
     * @throws TableFullException see there
     */
    long allocateBytes(int sizeBytes) throws BlockException {
        long at = tail;
        long shared = geometry.clusterIndex(at);
        int room = at == 0 ? 0 : geometry.clusterBytes() - geometry.inCluster(at);
        if (room > 0 && refcounts.get(shared) == geometry.maxRefcount()) {
            room = 0;
        }
        if (room < sizeBytes) {
            long fresh = allocate(1).firstCluster();
            if (room > 0 && fresh == shared + 1) {
                refcounts.add(shared, 1, 1);
            } else {
                at = geometry.clusterOffset(fresh);
            }
        } else {
            refcounts.add(shared, 1, 1);
        }
        long end = at + sizeBytes;
        tail = geometry.isAligned(end) ? 0 : end;
        return at;
    }

    /**
     * No more compressed data goes into these clusters. To be called when one loses a reference: once it is given up it may be punched or used for something
     * else.
     */
    void leaveTail(long firstCluster, long count) {
        long cluster = geometry.clusterIndex(tail);
        if (tail != 0 && cluster >= firstCluster && cluster < firstCluster + count) {
            tail = 0;
        }
    }

    /**
     * Allocates exactly {@code count} contiguous clusters, for a table, and claims their space on the host. The caller holds the write-back lock as
     * well, so the refcount table can grow on the way.
     *
     * @return the first
     */
    public long allocateTable(long count) throws BlockException {
        return allocateTable(count, false);
    }

    /** As {@link #allocateTable}, for a repair: tables may name clusters of which the counts know nothing, and those are left alone. */
    public long allocateTableAside(long count) throws BlockException {
        return allocateTable(count, true);
    }

    private long allocateTable(long count, boolean aside) throws BlockException {
        while (true) {
            try {
                file.event(BlockEvent.CLUSTER_ALLOC);
                long first = allocateContiguous(count, aside);
                claim(first, count);
                return first;
            } catch (TableFullException e) {
                growTable();
            }
        }
    }

    private void claim(long firstCluster, long count) throws BlockException {
        try {
            file.claim(geometry.clusterOffset(firstCluster), count * geometry.clusterBytes());
        } catch (BlockException e) {
            release(firstCluster, count);
            throw e;
        }
    }

    private long allocateContiguous(long count, boolean aside) throws BlockException {
        if (count >= geometry.refcountBlockEntries()) {
            return allocateAcrossBlocks(count, aside);
        }
        long start = nextFree(lowestMaybeFree, aside);
        long found = 1;
        while (found < count) {
            long next = nextFree(start + found, aside);
            if (next == start + found) {
                found++;
            } else {
                start = next;
                found = 1;
            }
        }
        requireNoMetadata(start, count);
        refcounts.add(start, count, 1);
        if (start == lowestMaybeFree) {
            lowestMaybeFree = start + count;
        }
        return start;
    }

    /** More clusters than a part of the file has beside its own block: behind all parts that have one, after all the blocks that it takes. */
    private long allocateAcrossBlocks(long count, boolean aside) throws BlockException {
        int blockBits = geometry.refcountBlockBits();
        long blocks = 1;
        while (blocks << blockBits < blocks + count) {
            blocks++;
        }
        long index = refcounts.partsWithBlocks();
        long start = index << blockBits;
        for (long i = 0; aside && i < blocks + count; i++) {
            if (overlaps.holdsMetadata(start + i)) {
                index = ((start + i) >>> blockBits) + 1;
                start = index << blockBits;
                i = -1;
            }
        }
        if (index + blocks > refcounts.tableEntries()) {
            throw new TableFullException();
        }
        requireNoMetadata(start, blocks + count);
        refcounts.addBlocks((int) index, (int) blocks, count);
        overlaps.add(MetadataClass.REFCOUNT_BLOCK, start, blocks);
        return start + blocks;
    }

    /** A cluster that metadata refers to is not free, whatever its refcount says: the refcounts are broken, and nothing is written to it. */
    void requireNoMetadata(long firstCluster, long count) throws BlockException {
        overlaps.requireFree(geometry.clusterOffset(firstCluster), count << geometry.clusterBits(), null);
    }

    /**
     * Whether it is known, without a lock, that guest data may be written to a range. False decides nothing.
     */
    public boolean isKnownToBeData(long hostOffset, long lengthBytes) {
        return overlaps.isKnownFree(hostOffset, lengthBytes);
    }

    /**
     * For assertions: whether clusters are counted just for the one who is about to refer to them with a flag that says so (rules R1, R6), and the file reaches
     * behind them (rule R3). The caller holds the metadata lock.
     */
    boolean isReadyToBeOwned(long firstCluster, long count) throws BlockException {
        for (long i = 0; i < count; i++) {
            if (refcounts.get(firstCluster + i) != 1) {
                return false;
            }
        }
        return file.lengthBytes() >= geometry.clusterOffset(firstCluster + count);
    }

    /** Takes references away; clusters without any are free from now on. Only for references that are durably gone, or never were. */
    public void release(long firstCluster, long count) throws BlockException {
        file.event(BlockEvent.CLUSTER_FREE);
        refcounts.add(firstCluster, count, -1);
        overlaps.released(firstCluster, count);
        leaveTail(firstCluster, count);
        lowestMaybeFree = Math.max(1, Math.min(lowestMaybeFree, firstCluster));
    }

    /** Counts were changed behind the allocator's back. */
    public void countsChanged() {
        lowestMaybeFree = 1;
        overlaps.forget();
        tail = 0;
    }

    /** The first free cluster from {@code from} on, in a part of the file that has a refcount block. @param aside clusters that metadata refers to do not count as free */
    private long nextFree(long from, boolean aside) throws BlockException {
        long cluster = nextUncounted(from, aside);
        while (aside && overlaps.holdsMetadata(cluster)) {
            if (cluster - from > MAX_CLUSTERS_ASIDE) {
                throw new BlockException(Kind.NO_SPACE, "Tables name all clusters behind the end of the file");
            }
            cluster = nextUncounted(cluster + 1, true);
        }
        return cluster;
    }

    private long nextUncounted(long from, boolean aside) throws BlockException {
        int blockBits = geometry.refcountBlockBits();
        long cluster = from;
        while (true) {
            if (cluster >= refcounts.coverage()) {
                throw new TableFullException();
            }
            int index = (int) (cluster >>> blockBits);
            if (!refcounts.hasBlock(index)) {
                if (aside && overlaps.holdsMetadata((long) index << blockBits)) {
                    cluster = ((long) index + 1) << blockBits;
                    continue;
                }
                requireNoMetadata((long) index << blockBits, 1);
                refcounts.addBlock(index);
                overlaps.add(MetadataClass.REFCOUNT_BLOCK, (long) index << blockBits, 1);
            }
            int within = (int) cluster & (geometry.refcountBlockEntries() - 1);
            int free = RefcountRange.findZero(
                    refcounts.view(index), geometry.refcountOrder(), within, geometry.refcountBlockEntries());
            if (free >= 0) {
                return ((long) index << blockBits) + free;
            }
            cluster = ((long) index + 1) << blockBits;
        }
    }

    /**
     * Gives refcount blocks up that count nothing any more, so that the file can end before them: the table is durable without them before they are free
     * (rule R4). All counts are durable. The caller holds both locks.
     *
     * @return the cluster behind the last one in use
     */
    public long trim() throws BlockException {
        List<Long> removed = refcounts.removeEmptyBlocks();
        refcounts.takeChanges().write(file);
        file.flush();
        for (long cluster : removed) {
            // where a block counted itself, its own count is gone with it
            if (refcounts.hasBlockFor(cluster)) {
                release(cluster, 1);
            }
        }
        countsChanged();
        return refcounts.lastCounted() + 1;
    }

    /**
     * Enlarges the refcount table: blocks and table durable, header switched in one sector, durable; then the old table's clusters are free. The
     * caller holds the write-back lock as well: nobody else is writing refcounts.
     */
    public void growTable() throws BlockException {
        refcounts.takeChanges().write(file);
        LargerRefcountTable growth = refcounts.prepareGrowth();
        file.flush();
        file.event(BlockEvent.REFBLOCK_ALLOC_SWITCH_TABLE);
        header.setRefcountTable(growth.offset(), growth.clusters());
        header.write(file);
        file.flush();
        long oldOffset = refcounts.tableOffset();
        long oldClusters = refcounts.tableClusters();
        refcounts.adopt(growth);
        overlaps.forget();
        release(geometry.clusterIndex(oldOffset), oldClusters);
    }
}
