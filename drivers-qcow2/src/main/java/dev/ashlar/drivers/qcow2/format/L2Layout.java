package dev.ashlar.drivers.qcow2.format;

import java.lang.foreign.MemorySegment;

/**
 * How the entries of an image's L2 tables are laid out and read: the one place that knows both kinds.
 *
 * <pre>
 *   standard   8 bytes   word                                          {@link TableEntry}
 *   extended  16 bytes   word without ZERO, bitmap of sub-clusters     {@link SubclusterBitmap}
 * </pre>
 *
 * Callers see every entry as a word and a bitmap; for a standard entry the bitmap is made up from the word, and its ZERO flag from the
 * bitmap. Entries are passed as two longs, so that the hit path allocates nothing.
 *
 * @param externalData guest data is in a file of its own, in which offset 0 is as good as any other: there COPIED tells whether a word names a cluster
 */
public record L2Layout(ClusterGeometry geometry, boolean externalData) {

    /** The words of an entry in a table. @return offset of the entry's first byte */
    public long byteOffset(int index) {
        return (long) index * geometry.l2EntryBytes();
    }

    /** The first word of an entry of a whole table. */
    public long word(MemorySegment table, int index) {
        return Bits.u64(table, byteOffset(index));
    }

    /** The bitmap of an entry of a whole table. */
    public long bitmap(MemorySegment table, int index) {
        return geometry.extendedL2()
                ? Bits.u64(table, byteOffset(index) + 8)
                : standardBitmap(Bits.u64(table, byteOffset(index)));
    }

    /** Changes the first word of an entry alone, to flip its COPIED flag. */
    public void putWord(MemorySegment table, int index, long word) {
        Bits.putU64(table, byteOffset(index), word);
    }

    /** Puts an entry into a table. */
    public void putEntry(MemorySegment table, int index, long word, long bitmap) {
        Bits.putU64(table, byteOffset(index), encodeWord(word, bitmap));
        if (geometry.extendedL2()) {
            Bits.putU64(table, byteOffset(index) + 8, bitmap);
        }
    }

    /** What a standard word says, as the bitmap of a cluster with one sub-cluster. */
    public long standardBitmap(long word) {
        if (TableEntry.isCompressed(word)) {
            return 0;
        }
        if ((word & TableEntry.ZERO) != 0) {
            return SubclusterBitmap.withZeros(0, 1);
        }
        return namesCluster(word) ? 1 : 0;
    }

    /** The word as it stands on disk beside {@code bitmap}: a standard one carries the ZERO flag. */
    public long encodeWord(long word, long bitmap) {
        if (geometry.extendedL2() || TableEntry.isCompressed(word)) {
            return word;
        }
        return SubclusterBitmap.isZero(bitmap, 0) ? word | TableEntry.ZERO : word & ~TableEntry.ZERO;
    }

    /** Whether a word refers to a host cluster, be it compressed data or not. */
    public boolean refersToHost(long word) {
        return TableEntry.isCompressed(word) || namesCluster(word);
    }

    /** Whether a word names a whole host cluster, whose sub-clusters may hold data. */
    public boolean namesCluster(long word) {
        return !TableEntry.isCompressed(word)
                && (TableEntry.offset(word) != 0
                        || (externalData && TableEntry.isCopied(word) && (word & TableEntry.ZERO) == 0));
    }

    /** Whether a word names a cluster with one reference: it may be written where it is. */
    public boolean ownsCluster(long word) {
        return namesCluster(word) && TableEntry.isCopied(word);
    }

    /** Combinations that can't be: both bits of a sub-cluster, or allocated ones of no cluster. */
    public boolean isImpossible(long word, long bitmap) {
        if (TableEntry.isCompressed(word)) {
            return false;
        }
        return namesCluster(word) ? SubclusterBitmap.contradicts(bitmap) : SubclusterBitmap.allocated(bitmap) != 0;
    }

    /** The allocation bits of all sub-clusters of a cluster. */
    public long wholeCluster() {
        return SubclusterBitmap.range(0, geometry.subclusters());
    }

    /** The allocation bits of the sub-clusters that a range touches within the cluster that begins at {@code clusterStart}. */
    public long touched(long clusterStart, long from, long to) {
        int first = from <= clusterStart ? 0 : geometry.subclusterIndex(from);
        int last = to >= clusterStart + geometry.clusterBytes()
                ? geometry.subclusters() - 1
                : geometry.subclusterIndex(to - 1);
        return SubclusterBitmap.range(first, last + 1);
    }
}
