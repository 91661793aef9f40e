package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.SubclusterBitmap;
import dev.ashlar.drivers.qcow2.format.TableEntry;

/**
 * Counts what the L2 tables of one layer refer to and finds words that can't be. Runs of clusters that follow each other on the host are counted at once. One
 * thread; others have scans of their own.
 */
final class L2Scan {
    private final L2Layout layout;
    private final ClusterGeometry geometry;
    private final TableReader reader;
    private final ReferenceCounts references;
    private final Findings findings;
    private final boolean active;
    private final L2Repair repair;
    private final long[] words;
    private final int stride;
    /** Where the next cluster of the table lies if it is not fragmented; 0: nothing came before it. */
    private long nextContiguous;

    private boolean allCopied;

    /** @param active the live disk's layer, whose clusters count for the statistics */
    L2Scan(
            L2Layout layout,
            TableReader reader,
            ReferenceCounts references,
            Findings findings,
            boolean active,
            L2Repair repair) {
        this.layout = layout;
        this.geometry = layout.geometry();
        this.reader = reader;
        this.references = references;
        this.findings = findings;
        this.active = active;
        this.repair = repair;
        this.words = new long[geometry.clusterBytes() / 8];
        this.stride = geometry.extendedL2() ? 2 : 1;
    }

    /** @return whether the table claims every cluster that it names as its own (COPIED) */
    boolean scan(long l2Offset) throws BlockException {
        try {
            reader.rawWords(l2Offset, words);
        } catch (BlockException e) {
            findings.checkError("ERROR: I/O error in check_refcounts_l2");
            throw e;
        }
        nextContiguous = 0;
        allCopied = true;
        int entries = geometry.l2Entries();
        long first = TableReader.fromDisk(words[0]);
        if (stride == 1 && isSound(first) && TableReader.isOneRun(words, geometry.clusterBytes())) {
            if (wholeRun(first, entries)) {
                return TableEntry.isCopied(first);
            }
        }
        TableReader.fromDisk(words);
        for (int i = 0; i < entries; ) {
            long word = words[i * stride];
            if (word == 0 && stride == 1) {
                i++;
            } else if (stride == 1 && isSound(word)) {
                i += run(i, word, entries);
            } else {
                entry(i, word, l2Offset);
                i++;
            }
        }
        return allCopied;
    }

    /** The word of a cluster with which nothing is wrong, except perhaps where it lies. */
    private boolean isSound(long word) {
        long offset = TableEntry.offset(word);
        return (word & (TableEntry.COMPRESSED | TableEntry.L2_RESERVED)) == 0
                && offset != 0
                && geometry.isAligned(offset)
                && !layout.externalData();
    }

    /** A table of clusters that all follow each other, the usual case. @return false: they reach behind the end of the file, and nothing was counted */
    private boolean wholeRun(long word, int entries) {
        long offset = TableEntry.offset(word);
        // a sum that leaves the offset's bits is no run
        boolean inRange = (word ^ (word + (entries - 1L) * geometry.clusterBytes())) >>> 56 == 0;
        long bytes = (long) entries * geometry.clusterBytes();
        if (!inRange || references.isBehindEnd(offset, bytes)) {
            return false;
        }
        allocated(offset, entries);
        references.count(offset, bytes, findings);
        return true;
    }

    /** Clusters that follow each other in the table and on the host. @return how many */
    private int run(int first, long word, int entries) {
        long clusterBytes = geometry.clusterBytes();
        long expected = word + clusterBytes;
        int end = first + 1;
        while (end < entries && words[end] == expected) {
            expected += clusterBytes;
            end++;
        }
        int length = end - first;
        long offset = TableEntry.offset(word);
        if (references.isBehindEnd(offset, length * clusterBytes)) {
            // each cluster is a finding of its own, and a claim to one that is not counted is to be looked at
            length = 1;
            allCopied = false;
        }
        allCopied &= TableEntry.isCopied(word);
        allocated(offset, length);
        references.count(offset, length * clusterBytes, findings);
        return length;
    }

    private void allocated(long offset, int length) {
        if (active) {
            findings.allocatedClusters += length;
            if (nextContiguous != 0 && offset != nextContiguous) {
                findings.fragmentedClusters++;
            }
            nextContiguous = offset + (long) length * geometry.clusterBytes();
        }
    }

    private void entry(int index, long word, long l2Offset) throws BlockException {
        long bitmap = stride == 2 ? words[2 * index + 1] : layout.standardBitmap(word);
        if (word == 0 && bitmap == 0) {
            return;
        }
        if (TableEntry.isCompressed(word)) {
            compressed(index, word, stride == 2 ? bitmap : 0);
            return;
        }
        if ((word & TableEntry.L2_RESERVED) != 0) {
            findings.corruption("ERROR found l2 entry with reserved bits set: " + Long.toHexString(word));
        }
        if (layout.namesCluster(word)) {
            cluster(index, word, bitmap, l2Offset);
        } else if (stride == 2 && SubclusterBitmap.allocated(bitmap) != 0) {
            findings.corruption("ERROR: Unallocated cluster has non-zero subcluster allocation map");
        }
    }

    private void cluster(int index, long word, long bitmap, long l2Offset) throws BlockException {
        long offset = TableEntry.offset(word);
        if (stride == 2 && SubclusterBitmap.contradicts(bitmap)) {
            findings.corruption("ERROR offset=" + Long.toHexString(offset)
                    + ": Allocated cluster has corrupted subcluster allocation bitmap");
        }
        if (!geometry.isAligned(offset)) {
            if (SubclusterBitmap.allocated(bitmap) != 0) {
                findings.corruption("ERROR offset=" + Long.toHexString(offset)
                        + ": Data cluster is not properly aligned; L2 entry corrupted.");
            } else if (repair.unalignedZeros(findings, l2Offset, index, offset, bitmap)) {
                return;
            }
        }
        allCopied &= TableEntry.isCopied(word)
                && (layout.externalData() || !references.isBehindEnd(offset, geometry.clusterBytes()));
        allocated(offset, 1);
        if (!layout.externalData()) {
            references.count(offset, geometry.clusterBytes(), findings);
        }
    }

    private void compressed(int index, long word, long bitmap) {
        long offset = TableEntry.compressedOffset(word, geometry);
        if (TableEntry.isCopied(word)) {
            findings.corruption("ERROR: coffset=0x" + Long.toHexString(offset)
                    + ": copied flag must never be set for compressed clusters");
        }
        if (layout.externalData()) {
            findings.corruption("ERROR compressed cluster " + index + " with data file, entry=0x"
                    + Long.toHexString(word & ~TableEntry.COPIED));
            return;
        }
        if (bitmap != 0) {
            findings.corruption("ERROR compressed cluster " + index
                    + " with non-zero subcluster allocation bitmap, entry=0x"
                    + Long.toHexString(word & ~TableEntry.COPIED));
            return;
        }
        references.count(offset, TableEntry.compressedBytes(word, geometry), findings);
        if (active) {
            // such clusters lie where there is room, and each shares a sector with its neighbours
            findings.allocatedClusters++;
            findings.compressedClusters++;
            findings.fragmentedClusters++;
        }
    }
}
