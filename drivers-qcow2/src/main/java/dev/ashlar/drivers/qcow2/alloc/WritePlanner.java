package dev.ashlar.drivers.qcow2.alloc;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.WritePlan;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator.Run;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.SubclusterBitmap;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;

/**
 * Decides where guest writes go: in place where a cluster has one reference, else to clusters allocated for the purpose, which the tables name once the data is
 * written. Any thread; two plans for one cluster at a time do not happen (core serialises on clusters).
 */
public final class WritePlanner {
    private final MetadataContext context;
    private final ClusterGeometry geometry;
    private final L2Layout layout;
    private final OwnedTables tables;

    public WritePlanner(MetadataContext context, OwnedTables tables) {
        this.context = context;
        this.geometry = context.geometry();
        this.layout = context.layout();
        this.tables = tables;
    }

    /**
     * A plan for the front of the range, which lies inside the disk.
     *
     * @param guestLimit no edge is copied from it on, in clusters that are written where they are
     */
    public WritePlan plan(long guestOffset, long lengthBytes, long guestLimit) throws BlockException {
        tables.makeRoom();
        return tables.growing(() -> tryPlan(guestOffset, lengthBytes, guestLimit));
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
            tables.own(active, l1Index);
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
        long word = active.l2Word(l1Index, l2Index);
        long host = requireAligned(hostOf(word, geometry.alignDown(guestOffset)), word, guestOffset);
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
                new PlannedEntries(context, active, l1Index, l2Index),
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
        PlannedEntries entries = new PlannedEntries(context, active, l1Index, l2Index);
        return new LinkingPlan(entries, run, true, guestOffset, end, before, after);
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
            throw active.corruptEntry("Invalid cluster entry found", l1Index, l2Index);
        }
        return bitmap;
    }

    private long requireAligned(long host, long word, long guestOffset) throws BlockException {
        if (!geometry.isAligned(host)) {
            boolean zero = !geometry.extendedL2() && (word & TableEntry.ZERO) != 0;
            throw new BlockException(
                    Kind.CORRUPT,
                    (zero ? "Preallocated zero" : "Data") + " cluster offset 0x" + Long.toHexString(host)
                            + " unaligned (guest offset: 0x" + Long.toHexString(guestOffset) + ")",
                    "Input/output error",
                    null);
        }
        return host;
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
        private final PlannedEntries entries;
        private final Run run;
        private final boolean fresh;
        private final long guestOffset;
        private final long guestEnd;
        private final long copyBeforeBytes;
        private final long copyAfterBytes;

        LinkingPlan(
                PlannedEntries entries,
                Run run,
                boolean fresh,
                long guestOffset,
                long guestEnd,
                long copyBeforeBytes,
                long copyAfterBytes) {
            this.entries = entries;
            this.run = run;
            this.fresh = fresh;
            this.guestOffset = guestOffset;
            this.guestEnd = guestEnd;
            this.copyBeforeBytes = copyBeforeBytes;
            this.copyAfterBytes = copyAfterBytes;
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
            entries.commit(this::link);
        }

        private void link(L1Table active, int l1Index, int l2Index) throws BlockException {
            assert !fresh || context.allocator().isReadyToBeOwned(run.firstCluster(), run.count())
                    : "R1, R3, R6: " + run;
            for (int i = 0; i < run.count(); i++) {
                long old = active.l2Word(l1Index, l2Index + i);
                long oldBitmap = active.l2Bitmap(l1Index, l2Index + i, old);
                long start = geometry.alignDown(guestOffset) + (long) i * geometry.clusterBytes();
                long filled = layout.touched(start, guestOffset - copyBeforeBytes, guestEnd + copyAfterBytes);
                long host = geometry.clusterOffset(run.firstCluster() + i);
                active.putL2Entry(
                        l1Index, l2Index + i, host | TableEntry.COPIED, SubclusterBitmap.withData(oldBitmap, filled));
                if (fresh) {
                    tables.giveUp(old, Discard.OTHER);
                }
            }
        }

        @Override
        public void abort() {
            entries.abort(() -> {
                if (fresh) {
                    context.allocator().release(run.firstCluster(), run.count());
                }
            });
        }
    }
}
