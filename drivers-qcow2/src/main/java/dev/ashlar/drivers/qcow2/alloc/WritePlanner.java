package dev.ashlar.drivers.qcow2.alloc;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.WritePlan;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator.Run;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator.TableFullException;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.SubclusterBitmap;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.metadata.TableBuffer;
import dev.ashlar.drivers.qcow2.metadata.WriteBack;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.Lock;

/**
 * Decides where guest writes go: in place where a cluster has one reference, else to clusters allocated for the purpose, which the tables name once the data is
 * written. Any thread; two plans for one cluster at a time do not happen (core serialises on clusters).
 */
public final class WritePlanner {
    /** L2 tables in memory that wait to be written; more than that are written back at once. */
    private static final long MAX_DIRTY_BYTES = 32L << 20;

    private static final int MAX_QUARANTINED_RUNS = 1 << 18;

    private final MetadataContext context;
    private final ClusterGeometry geometry;
    private final L2Layout layout;
    private final WriteBack writeBack;
    private final int maxDirtyTables;

    public WritePlanner(MetadataContext context, WriteBack writeBack) {
        this.context = context;
        this.geometry = context.geometry();
        this.layout = context.layout();
        this.writeBack = writeBack;
        this.maxDirtyTables = (int) Math.max(8, MAX_DIRTY_BYTES / geometry.clusterBytes());
    }

    /**
     * A plan for the front of the range, which lies inside the disk.
     *
     * @param guestLimit no edge is copied from it on, in clusters that are written where they are
     */
    public WritePlan plan(long guestOffset, long lengthBytes, long guestLimit) throws BlockException {
        makeRoom();
        while (true) {
            try {
                return tryPlan(guestOffset, lengthBytes, guestLimit);
            } catch (TableFullException e) {
                growRefcountTable();
            }
        }
    }

    /** Writes changed tables back when too many wait, or too many clusters to be freed. */
    void makeRoom() throws BlockException {
        if (context.active().dirtyTables() > maxDirtyTables
                || context.quarantine().size() > MAX_QUARANTINED_RUNS) {
            writeBack.flush();
        }
    }

    private WritePlan tryPlan(long guestOffset, long lengthBytes, long guestLimit) throws BlockException {
        long stamp = context.lock().writeLock();
        try {
            context.file().requireHealthy();
            L1Table active = context.active();
            int l1Index = (int) geometry.l1Index(guestOffset);
            int l2Index = geometry.l2Index(guestOffset);
            // a request is planned up to the end of its L2 table
            long tableEnd = geometry.l1EntryCoverageBytes() * (l1Index + 1L);
            long bytes = tableEnd > 0 ? Math.min(lengthBytes, tableEnd - guestOffset) : lengthBytes;
            int clusters = (int) geometry.clustersFor(geometry.inCluster(guestOffset) + bytes);
            if (active.ownsL2(l1Index) && layout.ownsCluster(active.l2Word(l1Index, l2Index))) {
                return planOwned(active, l1Index, l2Index, clusters, guestOffset, bytes, guestLimit);
            }
            ownL2(active, l1Index);
            if (layout.externalData()) {
                // the data file has a place for every cluster, whatever the tables say
                return planOwned(active, l1Index, l2Index, clusters, guestOffset, bytes, guestLimit);
            }
            int wanted = 1;
            while (wanted < clusters && !layout.ownsCluster(active.l2Word(l1Index, l2Index + wanted))) {
                wanted++;
            }
            return planFresh(active, l1Index, l2Index, wanted, guestOffset, bytes);
        } finally {
            context.lock().unlockWrite(stamp);
        }
    }

    /** Into clusters that the layer owns: only what holds no data yet needs edges, and a change of the tables. */
    private WritePlan planOwned(
            L1Table active, int l1Index, int l2Index, int clusters, long guestOffset, long bytes, long guestLimit)
            throws BlockException {
        long host = requireAligned(hostOf(active.l2Word(l1Index, l2Index), geometry.alignDown(guestOffset)));
        int run = 1;
        while (run < clusters) {
            long next = active.l2Word(l1Index, l2Index + run);
            long start = geometry.alignDown(guestOffset) + (long) run * geometry.clusterBytes();
            if (!(layout.externalData() || layout.ownsCluster(next))
                    || hostOf(next, start) != host + (long) run * geometry.clusterBytes()) {
                break;
            }
            run++;
        }
        if (!layout.externalData()) {
            context.allocator().requireNoMetadata(geometry.clusterIndex(host), run);
        }
        int within = geometry.inCluster(guestOffset);
        long end = guestOffset + Math.min(bytes, (long) run * geometry.clusterBytes() - within);
        boolean complete = true;
        for (int i = 0; i < run; i++) {
            long start = geometry.alignDown(guestOffset) + (long) i * geometry.clusterBytes();
            long touched = layout.touched(start, guestOffset, end);
            complete &= (bitmap(active, l1Index, l2Index + i) & touched) == touched;
        }
        if (complete) {
            return new InPlacePlan(context.file().data(), host + within, end - guestOffset);
        }
        long firstBitmap = bitmap(active, l1Index, l2Index);
        long lastBitmap = bitmap(active, l1Index, l2Index + run - 1);
        long before = SubclusterBitmap.isAllocated(firstBitmap, geometry.subclusterIndex(guestOffset))
                ? 0
                : geometry.inSubcluster(guestOffset);
        long after = SubclusterBitmap.isAllocated(lastBitmap, geometry.subclusterIndex(end - 1))
                ? 0
                : Math.min(geometry.subclusterBytes() - 1 - geometry.inSubcluster(end - 1), guestLimit - end);
        return new LinkingPlan(
                active,
                l1Index,
                l2Index,
                new Run(geometry.clusterIndex(host), run),
                false,
                guestOffset,
                end,
                before,
                after);
    }

    /** Where a cluster lies that is written where it is. @throws BlockException CORRUPT for a word that no data file can have */
    private long hostOf(long word, long guestCluster) throws BlockException {
        if (!layout.externalData()) {
            return TableEntry.offset(word);
        }
        if (TableEntry.isCompressed(word) || (layout.namesCluster(word) && TableEntry.offset(word) != guestCluster)) {
            throw new BlockException(
                    Kind.CORRUPT,
                    "External data file host cluster offset 0x" + Long.toHexString(TableEntry.offset(word))
                            + " does not match guest cluster offset: 0x" + Long.toHexString(guestCluster),
                    "Input/output error",
                    null);
        }
        return guestCluster;
    }

    /** Into clusters that nothing refers to yet; data of the old ones that the guest does not overwrite moves along. */
    private WritePlan planFresh(L1Table active, int l1Index, int l2Index, int wanted, long guestOffset, long bytes)
            throws BlockException {
        for (int i = 0; i < wanted; i++) {
            bitmap(active, l1Index, l2Index + i);
        }
        Run run = context.allocator().allocate(wanted);
        int last = l2Index + (int) run.count() - 1;
        int within = geometry.inCluster(guestOffset);
        long end = guestOffset + Math.min(bytes, run.count() * geometry.clusterBytes() - within);
        int firstTouched = geometry.subclusterIndex(guestOffset);
        int lastTouched = geometry.subclusterIndex(end - 1);
        int from = Math.min(firstTouched, Long.numberOfTrailingZeros(moved(active, l1Index, l2Index)));
        int to = Math.max(lastTouched, 63 - Long.numberOfLeadingZeros(moved(active, l1Index, last)));
        long before = within - ((long) from << geometry.subclusterBits());
        long after = ((to + 1L) << geometry.subclusterBits()) - 1 - geometry.inCluster(end - 1);
        reach(run, end + after);
        return new LinkingPlan(active, l1Index, l2Index, run, true, guestOffset, end, before, after);
    }

    /** The file reaches behind the whole cluster before anything refers to it (rule R3), also when the write stops at a sub-cluster. */
    private void reach(Run run, long guestEnd) throws BlockException {
        long hostEnd = geometry.clusterOffset(run.firstCluster() + run.count());
        if (geometry.inCluster(guestEnd) == 0
                || layout.externalData()
                || context.file().lengthBytes() >= hostEnd) {
            return;
        }
        try {
            long tail = geometry.subclusterBytes();
            context.file().data().writeZeroes(hostEnd - tail, tail, false);
        } catch (BlockException e) {
            context.allocator().release(run.firstCluster(), run.count());
            throw e;
        }
    }

    /** The sub-clusters whose data has to be in the cluster that takes this one's place. */
    private long moved(L1Table active, int l1Index, int l2Index) throws BlockException {
        long word = active.l2Word(l1Index, l2Index);
        return TableEntry.isCompressed(word)
                ? layout.wholeCluster()
                : SubclusterBitmap.allocated(bitmap(active, l1Index, l2Index));
    }

    /** @throws BlockException CORRUPT for an entry that can't be */
    private long bitmap(L1Table active, int l1Index, int l2Index) throws BlockException {
        long word = active.l2Word(l1Index, l2Index);
        long bitmap = active.l2Bitmap(l1Index, l2Index, word);
        if (layout.isImpossible(word, bitmap)) {
            throw new BlockException(
                    Kind.CORRUPT,
                    "Invalid cluster entry found (L1 index: 0x" + Integer.toHexString(l1Index) + ", L2 index: 0x"
                            + Integer.toHexString(l2Index) + ")",
                    "Input/output error",
                    null);
        }
        return bitmap;
    }

    private long requireAligned(long host) throws BlockException {
        if (!geometry.isAligned(host)) {
            throw new BlockException(
                    Kind.CORRUPT,
                    "Cluster allocation offset 0x" + Long.toHexString(host) + " unaligned",
                    "Input/output error",
                    null);
        }
        return host;
    }

    /** Sees to an L2 table of the active layer's own: a new one, or a copy of one shared with a snapshot. */
    void ownL2(L1Table active, int l1Index) throws BlockException {
        if (active.ownsL2(l1Index)) {
            // an entry may name other metadata as its table
            context.overlaps().requireFree(active.l2Offset(l1Index), geometry.clusterBytes(), MetadataClass.ACTIVE_L2);
            return;
        }
        context.overlaps().requireFree(active.hostOffset() + 8L * l1Index, 8, MetadataClass.ACTIVE_L1);
        long shared = active.l2Offset(l1Index);
        if (shared != 0) {
            context.file().event(BlockEvent.L2_ALLOC_COW_READ);
        }
        MemorySegment content = active.l2View(l1Index);
        Run run = context.allocator().allocate(1);
        long offset = geometry.clusterOffset(run.firstCluster());
        try {
            context.file().claim(offset, geometry.clusterBytes());
        } catch (BlockException e) {
            context.allocator().release(run.firstCluster(), 1);
            throw e;
        }
        TableBuffer table = TableBuffer.fresh(offset, geometry.clusterBytes());
        if (content != null) {
            MemorySegment.copy(content, 0, table.data(), 0, geometry.clusterBytes());
            // clusters named by two tables have two references, but for those that are not counted
            for (int i = 0; !layout.externalData() && i < geometry.l2Entries(); i++) {
                long word = layout.word(table.data(), i);
                if (TableEntry.isCopied(word)) {
                    layout.putWord(table.data(), i, word & ~TableEntry.COPIED);
                }
            }
            context.quarantine().add(geometry.clusterIndex(shared), 1);
        }
        active.putL2Table(l1Index, table);
        context.overlaps().add(MetadataClass.ACTIVE_L2, run.firstCluster(), 1);
    }

    /** Called without locks, after {@link TableFullException}. */
    void growRefcountTable() throws BlockException {
        Lock writeBackLock = context.writeBackLock();
        writeBackLock.lock();
        try {
            writeBack.flushLocked();
            long stamp = context.lock().writeLock();
            try {
                context.allocator().growTable();
            } finally {
                context.lock().unlockWrite(stamp);
            }
        } finally {
            writeBackLock.unlock();
        }
    }

    /** The references that an L2 word held are given up: the clusters go to the quarantine. */
    static void quarantine(MetadataContext context, long word) {
        if (context.layout().externalData()) {
            // clusters of a data file are not counted
            return;
        }
        ClusterGeometry geometry = context.geometry();
        if (TableEntry.isCompressed(word)) {
            long first = geometry.clusterIndex(TableEntry.compressedOffset(word, geometry));
            long last = geometry.clusterIndex(
                    TableEntry.compressedOffset(word, geometry) + TableEntry.compressedBytes(word, geometry) - 1);
            context.allocator().leaveTail(first, last - first + 1);
            context.quarantine().add(first, last - first + 1);
        } else if (context.layout().namesCluster(word)) {
            context.quarantine().add(geometry.clusterIndex(TableEntry.offset(word)), 1);
        }
    }

    private record InPlacePlan(ChildAccess child, long hostOffset, long lengthBytes) implements WritePlan {
        @Override
        public long copyBeforeBytes() {
            return 0;
        }

        @Override
        public long copyAfterBytes() {
            return 0;
        }

        @Override
        public void commit() {}

        @Override
        public void abort() {}
    }

    /** A write to sub-clusters that no entry says to hold data yet: in clusters allocated for it, or in the layer's own. */
    private final class LinkingPlan implements WritePlan {
        private final L1Table active;
        private final int l1Index;
        private final int l2Index;
        private final Run run;
        private final boolean fresh;
        private final long guestOffset;
        private final long guestEnd;
        private final long copyBeforeBytes;
        private final long copyAfterBytes;
        private boolean pinned = true;

        LinkingPlan(
                L1Table active,
                int l1Index,
                int l2Index,
                Run run,
                boolean fresh,
                long guestOffset,
                long guestEnd,
                long copyBeforeBytes,
                long copyAfterBytes) {
            this.active = active;
            this.l1Index = l1Index;
            this.l2Index = l2Index;
            this.run = run;
            this.fresh = fresh;
            this.guestOffset = guestOffset;
            this.guestEnd = guestEnd;
            this.copyBeforeBytes = copyBeforeBytes;
            this.copyAfterBytes = copyAfterBytes;
            active.pin(l1Index);
        }

        /** Under the lock, once. */
        private void ended() {
            if (pinned) {
                pinned = false;
                active.unpin(l1Index);
            }
        }

        @Override
        public long lengthBytes() {
            return guestEnd - guestOffset;
        }

        @Override
        public ChildAccess child() {
            return context.file().data();
        }

        @Override
        public long hostOffset() {
            return geometry.clusterOffset(run.firstCluster()) + geometry.inCluster(guestOffset);
        }

        @Override
        public long copyBeforeBytes() {
            return copyBeforeBytes;
        }

        @Override
        public long copyAfterBytes() {
            return copyAfterBytes;
        }

        @Override
        public void commit() throws BlockException {
            long stamp = context.lock().writeLock();
            try {
                context.file().requireHealthy();
                for (int i = 0; i < run.count(); i++) {
                    long old = active.l2Word(l1Index, l2Index + i);
                    long oldBitmap = active.l2Bitmap(l1Index, l2Index + i, old);
                    long start = geometry.alignDown(guestOffset) + (long) i * geometry.clusterBytes();
                    long filled = layout.touched(start, guestOffset - copyBeforeBytes, guestEnd + copyAfterBytes);
                    long host = geometry.clusterOffset(run.firstCluster() + i);
                    active.putL2Entry(
                            l1Index,
                            l2Index + i,
                            host | TableEntry.COPIED,
                            SubclusterBitmap.withData(oldBitmap, filled));
                    if (fresh) {
                        quarantine(context, old);
                    }
                }
            } finally {
                ended();
                context.lock().unlockWrite(stamp);
            }
        }

        @Override
        public void abort() {
            long stamp = context.lock().writeLock();
            try {
                if (fresh) {
                    context.allocator().release(run.firstCluster(), run.count());
                }
            } catch (BlockException e) {
                context.file().fail(e);
            } finally {
                ended();
                context.lock().unlockWrite(stamp);
            }
        }
    }
}
