package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.alloc.MetadataClass;
import dev.ashlar.drivers.qcow2.alloc.OverlapChecks;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;

/**
 * Holds the COPIED flags of the live disk against the refcounts, which are durable by now (rule R6): a flag stands if, and only if, a cluster has one reference. Flags
 * are mended word by word, where they stand: a torn write leaves some as they were.
 */
final class CopiedFlagCheck {
    /** L2 tables that a thread takes at a time. */
    private static final int BATCH = 16;

    private final ImageFile file;
    private final ClusterGeometry geometry;
    private final L2Layout layout;
    private final TableReader reader;
    private final RefcountStructure structure;
    private final OverlapChecks overlaps;
    private final boolean repairing;
    /** What stands in the refcounts, if it is what was counted; else null. */
    private final @org.jspecify.annotations.Nullable ReferenceCounts equalCounts;

    CopiedFlagCheck(
            ImageFile file,
            RefcountStructure structure,
            OverlapChecks overlaps,
            boolean repairing,
            @org.jspecify.annotations.Nullable ReferenceCounts equalCounts) {
        this.file = file;
        this.geometry = file.geometry();
        this.layout = file.layout();
        this.reader = new TableReader(file);
        this.structure = structure;
        this.overlaps = overlaps;
        this.repairing = repairing;
        this.equalCounts = equalCounts;
    }

    /**
     * @param l1 the live disk's L1 entries; flags are mended in it
     * @param unclaimed see {@link LayerWalk#walk}
     */
    void run(long l1Offset, long[] l1, BitSet unclaimed, Findings findings) throws BlockException {
        // where every count is 1 a table that claims all its clusters is right
        boolean claimsAreRight = equalCounts != null && !equalCounts.someShared();
        int workers = repairing ? 1 : OrderedParts.workers();
        OrderedParts.run(
                (l1.length + BATCH - 1) / BATCH,
                workers,
                (part, found) -> {
                    int end = Math.min(l1.length, (part + 1) * BATCH);
                    for (int i = part * BATCH; i < end; i++) {
                        long l2Offset = TableEntry.offset(l1[i]);
                        if (l2Offset != 0) {
                            l1Entry(l1Offset, l1, i, found);
                            if (!claimsAreRight || unclaimed.get(i)) {
                                table(l2Offset, found);
                            }
                        }
                    }
                },
                findings);
    }

    private void l1Entry(long l1Offset, long[] l1, int index, Findings findings) throws BlockException {
        long entry = l1[index];
        long count = count(TableEntry.offset(entry));
        if ((count == 1) == TableEntry.isCopied(entry) || !isCountKnown(TableEntry.offset(entry))) {
            return;
        }
        findings.say((repairing ? "Repairing" : "ERROR") + " OFLAG_COPIED L2 cluster: l1_index=" + index + " l1_entry="
                + Long.toHexString(entry) + " refcount=" + Long.toUnsignedString(count));
        if (!repairing) {
            findings.corruptions++;
            return;
        }
        if (!overlaps.isFreeToMend(l1Offset + 8L * index, 8, MetadataClass.ACTIVE_L1, findings::say)) {
            findings.corruptions++;
            findings.checkError("ERROR: Could not write L1 table; metadata overlap check failed: Input/output error");
            return;
        }
        MemorySegment word = MemorySegment.ofArray(new byte[8]);
        Bits.putU64(word, 0, entry ^ TableEntry.COPIED);
        file.write(l1Offset + 8L * index, word);
        l1[index] = entry ^ TableEntry.COPIED;
        findings.corruptionsFixed++;
    }

    private void table(long l2Offset, Findings findings) throws BlockException {
        long[] words = new long[geometry.clusterBytes() / 8];
        reader.words(l2Offset, words);
        int stride = geometry.extendedL2() ? 2 : 1;
        int mended = 0;
        for (int i = 0; i < words.length; ) {
            int run = runOfOnes(words, i, stride);
            if (run > 0) {
                i += run;
                continue;
            }
            long word = words[i];
            if (layout.namesCluster(word)) {
                long count = layout.externalData() ? 1 : count(TableEntry.offset(word));
                if ((count == 1) != TableEntry.isCopied(word)
                        && (layout.externalData() || isCountKnown(TableEntry.offset(word)))) {
                    findings.say((repairing ? "Repairing" : "ERROR") + " OFLAG_COPIED data cluster: l2_entry="
                            + Long.toHexString(word) + " refcount=" + Long.toUnsignedString(count));
                    words[i] = word ^ TableEntry.COPIED;
                    mended++;
                }
            }
            i += stride;
        }
        if (mended > 0) {
            settle(l2Offset, words, mended, findings);
        }
    }

    /** Clusters that follow each other, claimed and counted once each. @return how many, 0 where that is not so */
    private int runOfOnes(long[] words, int from, int stride) {
        long word = words[from];
        if (word == 0 && stride == 1) {
            return 1;
        }
        if (equalCounts == null
                || stride != 1
                || layout.externalData()
                || !TableEntry.isCopied(word)
                || TableEntry.isCompressed(word)
                || !geometry.isAligned(TableEntry.offset(word))) {
            return 0;
        }
        int end = from + 1;
        long expected = word + geometry.clusterBytes();
        while (end < words.length && words[end] == expected) {
            expected += geometry.clusterBytes();
            end++;
        }
        return equalCounts.allOne(geometry.clusterIndex(TableEntry.offset(word)), end - from) ? end - from : 0;
    }

    private void settle(long l2Offset, long[] words, int mended, Findings findings) throws BlockException {
        if (!repairing) {
            findings.corruptions += mended;
            return;
        }
        MemorySegment table = MemorySegment.ofArray(new byte[geometry.clusterBytes()]);
        for (int i = 0; i < words.length; i++) {
            Bits.putU64(table, 8L * i, words[i]);
        }
        if (!overlaps.isFreeToMend(l2Offset, table.byteSize(), MetadataClass.ACTIVE_L2, findings::say)) {
            findings.corruptions += mended;
            findings.checkError("ERROR: Could not write L2 table; metadata overlap check failed: Input/output error");
            return;
        }
        file.write(l2Offset, table);
        findings.corruptionsFixed += mended;
    }

    /** False where the count lies in a block that can't be read, which the comparison of counts tells of. */
    private boolean isCountKnown(long hostOffset) {
        long cluster = geometry.clusterIndex(hostOffset);
        return (equalCounts != null && cluster < equalCounts.clusters()) || structure.isReadableFor(cluster);
    }

    /** Unsigned; 0 where it is not known. */
    private long count(long hostOffset) throws BlockException {
        long cluster = geometry.clusterIndex(hostOffset);
        if (equalCounts != null && cluster < equalCounts.clusters()) {
            return equalCounts.get(cluster);
        }
        return CountComparison.stored(geometry, structure, cluster);
    }
}
