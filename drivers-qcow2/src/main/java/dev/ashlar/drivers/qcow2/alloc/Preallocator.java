package dev.ashlar.drivers.qcow2.alloc;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator.Run;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.SubclusterBitmap;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import java.util.ArrayList;
import java.util.List;

/**
 * Gives clusters of their own to a part of the disk that nobody sees yet. They lie behind the end of the file, which grows by as much: so they read as zeros
 * without being written. Where data is encrypted zero bytes are no zeros; there the entries say that the clusters read as zeros. In an external data file each
 * cluster has its place already, and only the tables change.
 */
public final class Preallocator {
    /** Runs that are reserved before the file grows over them. */
    private static final int MAX_RUNS = 4096;

    private final MetadataContext context;
    private final ClusterGeometry geometry;
    private final OwnedTables tables;
    private final boolean encrypted;
    private final boolean zeroFlag;
    private final boolean rawDataFile;

    /**
     * @param zeroFlag the image's version knows zero clusters
     * @param rawDataFile the data file alone is to read as the disk
     */
    public Preallocator(MetadataContext context, OwnedTables tables, boolean zeroFlag, boolean rawDataFile) {
        this.context = context;
        this.geometry = context.geometry();
        this.tables = tables;
        this.encrypted = context.file().encryption() != null;
        this.zeroFlag = zeroFlag;
        this.rawDataFile = rawDataFile;
    }

    /**
     * @param guestOffset a multiple of the cluster size; nothing is mapped from there on, and the L1 table is long enough
     * @param mode how the host's space is claimed; not {@link Preallocation#OFF}
     */
    public void preallocate(long guestOffset, long endOffset, Preallocation mode) throws BlockException {
        if (context.layout().externalData()) {
            linkInPlace(guestOffset, endOffset);
            return;
        }
        Preallocation ofFile = mode == Preallocation.METADATA ? Preallocation.OFF : mode;
        long hostCluster = geometry.clustersFor(context.file().lengthBytes());
        for (long guest = guestOffset; guest < endOffset; ) {
            List<Run> runs = reserve(hostCluster, geometry.clustersFor(endOffset - guest));
            Run last = runs.get(runs.size() - 1);
            hostCluster = last.firstCluster() + last.count();
            growFile(runs, geometry.clusterOffset(hostCluster), ofFile);
            if (encrypted && !zeroFlag) {
                writeZeros(runs);
            }
            for (Run run : runs) {
                link(guest, run);
                guest += run.count() * geometry.clusterBytes();
            }
        }
    }

    private void growFile(List<Run> runs, long hostEnd, Preallocation mode) throws BlockException {
        try {
            if (hostEnd > context.file().lengthBytes()) {
                context.file().grow(hostEnd, mode);
            }
        } catch (BlockException e) {
            release(runs);
            throw e;
        }
    }

    /** Version 2 has no word for zeros: they are encrypted like any data. */
    private void writeZeros(List<Run> runs) throws BlockException {
        try {
            for (Run run : runs) {
                context.file()
                        .data()
                        .writeZeroes(
                                geometry.clusterOffset(run.firstCluster()),
                                run.count() * geometry.clusterBytes(),
                                false);
            }
        } catch (BlockException e) {
            release(runs);
            throw e;
        }
    }

    private void release(List<Run> runs) throws BlockException {
        long stamp = context.lock().writeLock();
        try {
            for (Run run : runs) {
                context.allocator().release(run.firstCluster(), run.count());
            }
        } finally {
            context.lock().unlockWrite(stamp);
        }
    }

    private List<Run> reserve(long fromCluster, long wanted) throws BlockException {
        List<Run> runs = new ArrayList<>();
        long from = fromCluster;
        long left = wanted;
        while (left > 0 && runs.size() < MAX_RUNS) {
            long next = from;
            long missing = left;
            Run run = tables.growing(() -> reserveRun(next, missing));
            runs.add(run);
            from = run.firstCluster() + run.count();
            left -= run.count();
        }
        return runs;
    }

    private Run reserveRun(long fromCluster, long wanted) throws BlockException {
        long stamp = context.lock().writeLock();
        try {
            return context.allocator().allocateFrom(fromCluster, wanted);
        } finally {
            context.lock().unlockWrite(stamp);
        }
    }

    private void linkInPlace(long guestOffset, long endOffset) throws BlockException {
        long end = geometry.alignUp(endOffset);
        if (guestOffset < end) {
            link(guestOffset, new Run(geometry.clusterIndex(guestOffset), geometry.clustersFor(end - guestOffset)));
        }
    }

    private void link(long guestOffset, Run run) throws BlockException {
        long linked = 0;
        while (linked < run.count()) {
            tables.makeRoom();
            long from = linked;
            linked += tables.growing(() -> linkInTable(guestOffset + from * geometry.clusterBytes(), run, from));
        }
    }

    /** @return clusters linked, up to the end of one L2 table */
    private long linkInTable(long guestOffset, Run run, long from) throws BlockException {
        long stamp = context.lock().writeLock();
        try {
            context.file().requireHealthy();
            L1Table active = context.active();
            int l1Index = (int) geometry.l1Index(guestOffset);
            int l2Index = geometry.l2Index(guestOffset);
            tables.own(active, l1Index);
            long bitmap = bitmap();
            int count = (int) Math.min(run.count() - from, geometry.l2Entries() - l2Index);
            assert context.layout().externalData()
                            || context.allocator().isReadyToBeOwned(run.firstCluster() + from, count)
                    : "R1, R3, R6: " + run;
            for (int i = 0; i < count; i++) {
                long host = geometry.clusterOffset(run.firstCluster() + from + i);
                active.putL2Entry(l1Index, l2Index + i, host | TableEntry.COPIED, bitmap);
            }
            return count;
        } finally {
            context.lock().unlockWrite(stamp);
        }
    }

    /** What an entry says of its cluster. Sub-clusters are left to be written: then nothing of a backing file is hidden. */
    private long bitmap() {
        if (geometry.extendedL2() && !rawDataFile) {
            return 0;
        }
        long whole = context.layout().wholeCluster();
        return encrypted && zeroFlag ? SubclusterBitmap.withZeros(0, whole) : whole;
    }
}
