package dev.ashlar.drivers.qcow2.alloc;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator.TableFullException;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.SubclusterBitmap;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import java.lang.foreign.MemorySegment;

/**
 * L2 entries of an external data file that is to read as the disk by itself: every cluster is allocated, at its guest offset.
 */
public final class IdentityTables {
    private IdentityTables() {}

    /**
     * Fills a table that is on no disk yet.
     *
     * @param table one cluster of zeros
     * @param firstGuestOffset of what the table covers
     * @param diskBytes clusters that begin behind it get no entry
     * @param bitmap of every extended entry: which of its sub-clusters are the data file's to answer
     */
    public static void fill(L2Layout layout, MemorySegment table, long firstGuestOffset, long diskBytes, long bitmap) {
        ClusterGeometry geometry = layout.geometry();
        for (int i = 0; i < geometry.l2Entries(); i++) {
            long guestOffset = firstGuestOffset + (long) i * geometry.clusterBytes();
            if (guestOffset < 0 || guestOffset >= diskBytes) {
                return;
            }
            layout.putEntry(table, i, guestOffset | TableEntry.COPIED, bitmap);
        }
    }

    /** Links the clusters of a live disk from one offset to another; what has an entry keeps it. Durable after the next flush. */
    public static void link(MetadataContext context, OwnedTables tables, long fromBytes, long toBytes)
            throws BlockException {
        ClusterGeometry geometry = context.geometry();
        for (long at = geometry.alignDown(fromBytes); at < toBytes; ) {
            long covered = geometry.l1EntryCoverageBytes();
            long tableEnd = (at & -covered) + covered;
            long stop = tableEnd > at ? Math.min(toBytes, tableEnd) : toBytes;
            tables.makeRoom();
            try {
                linkInTable(context, tables, at, stop);
                at = stop;
            } catch (TableFullException e) {
                tables.growRefcountTable();
            }
        }
    }

    private static void linkInTable(MetadataContext context, OwnedTables tables, long from, long to)
            throws BlockException {
        L2Layout layout = context.layout();
        ClusterGeometry geometry = context.geometry();
        long stamp = context.lock().writeLock();
        try {
            context.file().requireHealthy();
            L1Table active = context.active();
            int l1Index = (int) geometry.l1Index(from);
            tables.own(active, l1Index);
            for (long at = from; at < to; at += geometry.clusterBytes()) {
                int l2Index = geometry.l2Index(at);
                long word = active.l2Word(l1Index, l2Index);
                long bitmap = active.l2Bitmap(l1Index, l2Index, word);
                long unwritten = layout.wholeCluster() & ~(bitmap | bitmap >>> 32);
                if (unwritten != 0) {
                    active.putL2Entry(
                            l1Index, l2Index, at | TableEntry.COPIED, SubclusterBitmap.withData(bitmap, unwritten));
                }
            }
        } finally {
            context.lock().unlockWrite(stamp);
        }
    }
}
