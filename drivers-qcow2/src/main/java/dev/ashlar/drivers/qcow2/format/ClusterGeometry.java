package dev.ashlar.drivers.qcow2.format;

/**
 * All shift arithmetic of an image: how a guest offset splits into table indices, and how many entries tables have.
 *
 * @param clusterBits log2 of the cluster size in bytes, 9 to 21; at least 14 with extended entries
 * @param refcountOrder log2 of the width of a refcount in bits, 0 to 6
 * @param extendedL2 entries of L2 tables have 128 bits, and clusters 32 sub-clusters
 */
public record ClusterGeometry(int clusterBits, int refcountOrder, boolean extendedL2) {
    /** Smallest cluster for which metadata may be mapped: a page belongs to one cluster only. */
    public static final int PAGE_BYTES = 4096;

    public static final int MIN_CLUSTER_BITS = 9;
    public static final int MAX_CLUSTER_BITS = 21;
    /** Sub-clusters have at least 512 bytes. */
    public static final int MIN_EXTENDED_CLUSTER_BITS = 14;

    private static final int SUBCLUSTER_COUNT_BITS = 5;

    /** Offsets of clusters have 56 bits. */
    public static final long MAX_HOST_OFFSET = (1L << 56) - 1;

    public ClusterGeometry {
        if (clusterBits < MIN_CLUSTER_BITS || clusterBits > MAX_CLUSTER_BITS) {
            throw new IllegalArgumentException("clusterBits " + clusterBits);
        }
        if (refcountOrder < 0 || refcountOrder > 6) {
            throw new IllegalArgumentException("refcountOrder " + refcountOrder);
        }
        if (extendedL2 && clusterBits < MIN_EXTENDED_CLUSTER_BITS) {
            throw new IllegalArgumentException("extended L2 entries with clusterBits " + clusterBits);
        }
    }

    /** An image with L2 entries of 64 bits. */
    public ClusterGeometry(int clusterBits, int refcountOrder) {
        this(clusterBits, refcountOrder, false);
    }

    public int clusterBytes() {
        return 1 << clusterBits;
    }

    /** Bytes of an entry of an L2 table. */
    public int l2EntryBytes() {
        return extendedL2 ? 16 : 8;
    }

    /** log2 of the number of entries in an L2 table. */
    public int l2Bits() {
        return clusterBits - (extendedL2 ? 4 : 3);
    }

    public int l2Entries() {
        return 1 << l2Bits();
    }

    /** Guest bytes that one L1 entry covers. */
    public long l1EntryCoverageBytes() {
        return 1L << (l2Bits() + clusterBits);
    }

    /** Index into L1; may exceed an int for hostile offsets, so it is a long. */
    public long l1Index(long guestOffset) {
        return guestOffset >>> (l2Bits() + clusterBits);
    }

    public int l2Index(long guestOffset) {
        return (int) (guestOffset >>> clusterBits) & (l2Entries() - 1);
    }

    /** Parts of a cluster that have a state of their own: 32 with extended entries, else 1. */
    public int subclusters() {
        return extendedL2 ? 1 << SUBCLUSTER_COUNT_BITS : 1;
    }

    public int subclusterBits() {
        return extendedL2 ? clusterBits - SUBCLUSTER_COUNT_BITS : clusterBits;
    }

    public int subclusterBytes() {
        return 1 << subclusterBits();
    }

    /** Which sub-cluster of its cluster an offset lies in. */
    public int subclusterIndex(long offset) {
        return inCluster(offset) >>> subclusterBits();
    }

    /** Offset within its sub-cluster. */
    public int inSubcluster(long offset) {
        return (int) (offset & (subclusterBytes() - 1));
    }

    public long clusterIndex(long hostOffset) {
        return hostOffset >>> clusterBits;
    }

    public long clusterOffset(long clusterIndex) {
        return clusterIndex << clusterBits;
    }

    /** Offset within its cluster. */
    public int inCluster(long offset) {
        return (int) (offset & (clusterBytes() - 1));
    }

    public boolean isAligned(long offset) {
        return inCluster(offset) == 0;
    }

    public long alignDown(long offset) {
        return offset & -(long) clusterBytes();
    }

    public long alignUp(long offset) {
        return Math.addExact(offset, clusterBytes() - 1) & -(long) clusterBytes();
    }

    /** Clusters that hold {@code lengthBytes}. */
    public long clustersFor(long lengthBytes) {
        return alignUp(lengthBytes) >>> clusterBits;
    }

    /** L1 entries that a disk of this size needs. */
    public long l1EntriesFor(long diskBytes) {
        long coverage = l1EntryCoverageBytes();
        return diskBytes / coverage + (diskBytes % coverage != 0 ? 1 : 0);
    }

    public int refcountBits() {
        return 1 << refcountOrder;
    }

    /** log2 of the number of refcounts in a refcount block. */
    public int refcountBlockBits() {
        return clusterBits + 3 - refcountOrder;
    }

    public int refcountBlockEntries() {
        return 1 << refcountBlockBits();
    }

    /** Largest refcount, unsigned: all ones in as many bits as a refcount has. */
    public long maxRefcount() {
        return -1L >>> (Long.SIZE - refcountBits());
    }
}
