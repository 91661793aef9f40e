package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.alloc.OverlapChecks;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import java.util.BitSet;
import java.util.function.LongConsumer;

/** Counts what one L1 table refers to, through its L2 tables, by several threads; finds words that can't be. */
final class LayerWalk {
    /** L2 tables that a thread takes at a time. */
    private static final int BATCH = 16;

    private final ImageFile file;
    private final ClusterGeometry geometry;
    private final TableReader reader;
    private final ReferenceCounts references;
    private final Findings findings;
    private final OverlapChecks overlaps;
    private final boolean repairing;
    private final LongConsumer progress;

    /** @param progress takes the number of L1 entries that are done with, as they are; called by any thread */
    LayerWalk(
            ImageFile file,
            ReferenceCounts references,
            Findings findings,
            OverlapChecks overlaps,
            boolean repairing,
            LongConsumer progress) {
        this.file = file;
        this.geometry = file.geometry();
        this.reader = new TableReader(file);
        this.references = references;
        this.findings = findings;
        this.overlaps = overlaps;
        this.repairing = repairing;
        this.progress = progress;
    }

    /**
     * @param length entries of the L1 table, bounded by the format's limit
     * @param active the live disk's layer
     * @return indices of L1 entries whose L2 tables name some cluster without claiming it as their own (COPIED)
     */
    BitSet walk(long l1Offset, int length, boolean active) throws BlockException {
        BitSet unclaimed = new BitSet(length);
        if (length == 0) {
            return unclaimed;
        }
        references.count(l1Offset, 8L * length, findings);
        long[] l1 = new long[length];
        try {
            reader.words(l1Offset, l1);
        } catch (BlockException e) {
            findings.checkError("ERROR: I/O error in check_refcounts_l1");
            throw e;
        }
        int[] used = used(l1);
        progress.accept(length - used.length);
        L2Repair repair = new L2Repair(file, overlaps, repairing, active);
        OrderedParts.run(
                (used.length + BATCH - 1) / BATCH,
                OrderedParts.workers(),
                (part, found) -> {
                    L2Scan scan = new L2Scan(file.layout(), reader, references, found, active, repair);
                    int end = Math.min(used.length, (part + 1) * BATCH);
                    for (int i = part * BATCH; i < end; i++) {
                        if (!table(scan, l1[used[i]], found)) {
                            synchronized (unclaimed) {
                                unclaimed.set(used[i]);
                            }
                        }
                    }
                    progress.accept(end - part * BATCH);
                },
                findings);
        return unclaimed;
    }

    private static int[] used(long[] l1) {
        int count = 0;
        for (long entry : l1) {
            count += entry != 0 ? 1 : 0;
        }
        int[] used = new int[count];
        int next = 0;
        for (int i = 0; i < l1.length; i++) {
            if (l1[i] != 0) {
                used[next++] = i;
            }
        }
        return used;
    }

    private boolean table(L2Scan scan, long entry, Findings found) throws BlockException {
        if ((entry & TableEntry.L1_RESERVED) != 0) {
            found.corruption("ERROR found L1 entry with reserved bits set: " + Long.toHexString(entry));
        }
        long l2Offset = TableEntry.offset(entry);
        references.count(l2Offset, geometry.clusterBytes(), found);
        if (!geometry.isAligned(l2Offset)) {
            found.corruption("ERROR l2_offset=" + Long.toHexString(l2Offset)
                    + ": Table is not cluster aligned; L1 entry corrupted");
        }
        return scan.scan(l2Offset);
    }
}
