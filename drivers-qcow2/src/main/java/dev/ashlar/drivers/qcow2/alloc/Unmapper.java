package dev.ashlar.drivers.qcow2.alloc;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.SubclusterBitmap;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;

/**
 * Zeroes whole sub-clusters, and discards whole clusters, in the tables alone. What they referred to is free after the next flush.
 */
public final class Unmapper {
    /** What becomes of a cluster. */
    private enum Target {
        /** Reads as zeros; its host cluster may be kept. */
        ZERO,
        /** Reads as zeros; its host cluster is given back. */
        ZERO_UNMAPPED,
        /** As {@link #ZERO_UNMAPPED}, but clusters that are not allocated stay as they are where nothing is behind them. */
        DISCARDED
    }

    private final MetadataContext context;
    private final ClusterGeometry geometry;
    private final L2Layout layout;
    private final OwnedTables tables;
    private final boolean zeroFlag;
    private volatile boolean hasBacking;

    /**
     * @param zeroFlag the image's version knows zero clusters
     * @param hasBacking something is behind clusters that are not allocated
     */
    public Unmapper(MetadataContext context, OwnedTables tables, boolean zeroFlag, boolean hasBacking) {
        this.context = context;
        this.geometry = context.geometry();
        this.layout = context.layout();
        this.tables = tables;
        this.zeroFlag = zeroFlag;
        this.hasBacking = hasBacking;
    }

    /** From now on the image names a backing file, which shows through where nothing is allocated. */
    public void backingNamed() {
        hasBacking = true;
    }

    /**
     * @param guestOffset a multiple of the sub-cluster size, as is the end of the range
     * @return bytes done from the front; 0 where only writing zeros will do
     */
    public long writeZeroes(long guestOffset, long lengthBytes, boolean mayUnmap) throws BlockException {
        if (!zeroFlag && hasBacking) {
            return 0;
        }
        boolean unmap = mayUnmap || !zeroFlag;
        return update(guestOffset, lengthBytes, unmap ? Target.ZERO_UNMAPPED : Target.ZERO);
    }

    /** @param guestOffset a multiple of the cluster size, as is the end of the range */
    public void discard(long guestOffset, long lengthBytes) throws BlockException {
        if (!zeroFlag && hasBacking) {
            // version 2 has no word for zeros, and the backing file must not show through: the clusters stay
            return;
        }
        update(guestOffset, lengthBytes, Target.DISCARDED);
    }

    /**
     * Gives up all that the tables name from a guest offset on, up to the end of the L1 table: what an image holds behind its disk's end.
     *
     * @param guestOffset a multiple of the cluster size
     * @param wholeTables false: only up to the end of the L2 table in which the offset lies
     */
    public void unmapFrom(long guestOffset, boolean wholeTables) throws BlockException {
        int l1Index = (int) Math.min(geometry.l1Index(guestOffset), Integer.MAX_VALUE);
        int first = l1Index;
        if (geometry.l2Index(guestOffset) != 0) {
            first++;
            int l2Index = geometry.l2Index(guestOffset);
            tables.growing(() -> clearRestOfTable(l1Index, l2Index));
        }
        for (int i = first; wholeTables && i < context.active().length(); i++) {
            tables.makeRoom();
            removeTable(i);
        }
    }

    /** @return entries that named or said something */
    private int clearRestOfTable(int l1Index, int l2Index) throws BlockException {
        long stamp = context.lock().writeLock();
        try {
            L1Table active = context.active();
            if (l1Index >= active.length() || active.entry(l1Index) == 0) {
                return 0;
            }
            int cleared = 0;
            for (int i = l2Index; i < geometry.l2Entries(); i++) {
                long old = active.l2Word(l1Index, i);
                if (old != 0 || active.l2Bitmap(l1Index, i, old) != 0) {
                    tables.own(active, l1Index);
                    active.putL2Entry(l1Index, i, 0, 0);
                    tables.giveUp(old, Discard.ALWAYS);
                    cleared++;
                }
            }
            return cleared;
        } finally {
            context.lock().unlockWrite(stamp);
        }
    }

    private void removeTable(int l1Index) throws BlockException {
        long stamp = context.lock().writeLock();
        try {
            L1Table active = context.active();
            if (active.entry(l1Index) == 0) {
                return;
            }
            long l2Offset = active.l2Offset(l1Index);
            if (l2Offset != 0) {
                for (int i = 0; i < geometry.l2Entries(); i++) {
                    tables.giveUp(active.l2Word(l1Index, i), Discard.ALWAYS);
                }
                context.quarantine().add(geometry.clusterIndex(l2Offset), 1, Discard.ALWAYS);
            }
            active.removeL2Table(l1Index);
        } finally {
            context.lock().unlockWrite(stamp);
        }
    }

    private long update(long guestOffset, long lengthBytes, Target target) throws BlockException {
        long end = guestOffset + lengthBytes;
        for (long at = guestOffset; at < end; ) {
            long tableEnd = (at & -geometry.l1EntryCoverageBytes()) + geometry.l1EntryCoverageBytes();
            long stop = tableEnd > at ? Math.min(end, tableEnd) : end;
            tables.makeRoom();
            long from = at;
            at = tables.growing(() -> updateInTable(from, stop, target));
            if (at < stop) {
                return at - guestOffset;
            }
        }
        return lengthBytes;
    }

    /** @return how far it came: a part of a compressed cluster has no state of its own */
    private long updateInTable(long from, long to, Target target) throws BlockException {
        long stamp = context.lock().writeLock();
        try {
            context.file().requireHealthy();
            L1Table active = context.active();
            int l1Index = (int) geometry.l1Index(from);
            if (active.entry(l1Index) == 0 && !hasBacking && (target == Target.DISCARDED || !zeroFlag)) {
                return to;
            }
            for (long start = geometry.alignDown(from); start < to; start += geometry.clusterBytes()) {
                int l2Index = geometry.l2Index(start);
                long range = layout.touched(start, from, to);
                if (range != layout.wholeCluster() && TableEntry.isCompressed(active.l2Word(l1Index, l2Index))) {
                    return Math.max(start, from);
                }
                updateEntry(active, l1Index, l2Index, range, target);
            }
            return to;
        } finally {
            context.lock().unlockWrite(stamp);
        }
    }

    /** @param range the sub-clusters that are to change */
    private void updateEntry(L1Table active, int l1Index, int l2Index, long range, Target target)
            throws BlockException {
        long old = active.l2Word(l1Index, l2Index);
        long oldBitmap = active.l2Bitmap(l1Index, l2Index, old);
        if (target == Target.DISCARDED && !hasBacking && !layout.refersToHost(old)) {
            return;
        }
        boolean keepsHost =
                zeroFlag && layout.namesCluster(old) && (target == Target.ZERO || range != layout.wholeCluster());
        long word = keepsHost ? old : 0;
        long bitmap = zeroFlag ? SubclusterBitmap.withZeros(oldBitmap, range) : 0;
        if (layout.encodeWord(word, bitmap) == old && bitmap == oldBitmap) {
            return;
        }
        // a copy of a shared table claims no cluster as its own
        boolean owned = active.ownsL2(l1Index) || layout.externalData();
        tables.own(active, l1Index);
        active.putL2Entry(l1Index, l2Index, owned ? word : word & ~TableEntry.COPIED, bitmap);
        if (!keepsHost) {
            tables.giveUp(old, Discard.REQUEST);
        }
    }
}
