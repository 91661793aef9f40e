package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.SubclusterBitmap;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import java.lang.foreign.MemorySegment;

/** Counts what one L1 table refers to and finds words that can't be. */
final class LayerWalk {
    private final ClusterGeometry geometry;
    private final L2Layout layout;
    private final ReferenceCounts references;
    private final Findings findings;
    private final boolean active;
    /** Where the next cluster of the table lies if it is not fragmented; 0: nothing came before it. */
    private long nextContiguous;

    /** @param active the live disk's layer, whose clusters count for the statistics */
    LayerWalk(L2Layout layout, ReferenceCounts references, Findings findings, boolean active) {
        this.layout = layout;
        this.geometry = layout.geometry();
        this.references = references;
        this.findings = findings;
        this.active = active;
    }

    void walk(L1Table table) {
        count(table.hostOffset(), table.length() * 8L);
        for (int i = 0; i < table.length(); i++) {
            long entry = table.entry(i);
            if (entry == 0) {
                continue;
            }
            if ((entry & TableEntry.L1_RESERVED) != 0) {
                findings.corruption("ERROR found L1 entry with reserved bits set: " + Long.toHexString(entry));
            }
            long l2Offset = TableEntry.offset(entry);
            if (!geometry.isAligned(l2Offset)) {
                findings.corruption("ERROR l2_offset=" + Long.toHexString(l2Offset)
                        + ": Table is not cluster aligned; L1 entry corrupted");
                continue;
            }
            count(l2Offset, geometry.clusterBytes());
            walkL2(table, i, l2Offset);
        }
    }

    private void walkL2(L1Table table, int l1Index, long l2Offset) {
        MemorySegment words;
        try {
            words = table.l2View(l1Index);
        } catch (BlockException e) {
            findings.checkError("ERROR: I/O error in check_refcounts_l2 (L2 table at 0x" + Long.toHexString(l2Offset)
                    + "): " + e.getMessage());
            return;
        }
        nextContiguous = 0;
        for (int j = 0; words != null && j < geometry.l2Entries(); j++) {
            long word = layout.word(words, j);
            long bitmap = layout.bitmap(words, j);
            if (word == 0 && bitmap == 0) {
                continue;
            }
            if (TableEntry.isCompressed(word)) {
                compressed(j, word, geometry.extendedL2() ? bitmap : 0);
                continue;
            }
            if ((word & TableEntry.L2_RESERVED) != 0) {
                findings.corruption("ERROR found l2 entry with reserved bits set: " + Long.toHexString(word));
            }
            if (layout.namesCluster(word)) {
                cluster(word, bitmap);
            } else if (layout.isImpossible(word, bitmap)) {
                findings.corruption("ERROR: Unallocated cluster has non-zero subcluster allocation map");
            }
        }
    }

    private void cluster(long word, long bitmap) {
        long offset = TableEntry.offset(word);
        if (SubclusterBitmap.contradicts(bitmap)) {
            findings.corruption("ERROR offset=" + Long.toHexString(offset)
                    + ": Allocated cluster has corrupted subcluster allocation bitmap");
        }
        if (active) {
            findings.allocatedClusters++;
            if (nextContiguous != 0 && offset != nextContiguous) {
                findings.fragmentedClusters++;
            }
            nextContiguous = offset + geometry.clusterBytes();
        }
        if (!geometry.isAligned(offset)) {
            findings.corruption("ERROR offset=" + Long.toHexString(offset)
                    + (SubclusterBitmap.allocated(bitmap) != 0
                            ? ": Data cluster is not properly aligned; L2 entry corrupted."
                            : ": Preallocated cluster is not properly aligned; L2 entry corrupted."));
        }
        if (!layout.externalData()) {
            count(offset, geometry.clusterBytes());
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
        if (active) {
            findings.allocatedClusters++;
            findings.compressedClusters++;
            findings.fragmentedClusters++;
        }
        count(offset, TableEntry.compressedBytes(word, geometry));
    }

    private void count(long hostOffset, long lengthBytes) {
        if (!references.add(hostOffset, lengthBytes)) {
            findings.corruption(
                    "ERROR: counting reference for region exceeding the end of the file by one cluster or more: offset"
                            + " 0x"
                            + Long.toHexString(hostOffset) + " size 0x" + Long.toHexString(lengthBytes));
        }
    }
}
