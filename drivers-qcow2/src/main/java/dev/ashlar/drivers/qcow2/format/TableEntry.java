package dev.ashlar.drivers.qcow2.format;

/**
 * Words of L1 and L2 tables.
 *
 * <pre>
 *        63      62        61..56   55 ............ 9   8..1   0
 *  L1  COPIED |  0     |    0    |  L2 table offset  |   0  |  0
 *  L2  COPIED |  0     |    0    |  host offset      |   0  | ZERO     standard cluster
 *  L2    0    |  1     |  sectors, then host offset in bytes           compressed cluster
 * </pre>
 *
 * COPIED claims that the cluster has exactly one reference. Source: qcow2 specification, "Cluster mapping".
 */
public final class TableEntry {
    public static final long COPIED = 1L << 63;
    public static final long COMPRESSED = 1L << 62;
    public static final long ZERO = 1L;
    public static final long OFFSET_MASK = 0x00ff_ffff_ffff_fe00L;
    /** Reserved bits of an L1 entry. */
    public static final long L1_RESERVED = 0x7f00_0000_0000_01ffL;
    /** Reserved bits of the L2 entry of a standard cluster. */
    public static final long L2_RESERVED = 0x3f00_0000_0000_01feL;

    private TableEntry() {}

    public static long offset(long entry) {
        return entry & OFFSET_MASK;
    }

    public static boolean isCopied(long entry) {
        return entry < 0;
    }

    public static boolean isCompressed(long entry) {
        return (entry & COMPRESSED) != 0;
    }

    /** Bits of a compressed entry that hold the host offset. */
    private static int compressedOffsetBits(ClusterGeometry geometry) {
        return 62 - (geometry.clusterBits() - 8);
    }

    /** Host offset of compressed data, in bytes, not aligned. */
    public static long compressedOffset(long entry, ClusterGeometry geometry) {
        return entry & ((1L << compressedOffsetBits(geometry)) - 1);
    }

    /** The largest host offset that the word of a compressed cluster can hold. */
    public static long maxCompressedOffset(ClusterGeometry geometry) {
        return Math.min((1L << compressedOffsetBits(geometry)) - 1, ClusterGeometry.MAX_HOST_OFFSET);
    }

    /** The word of a compressed cluster of less than a cluster's bytes. COPIED is never set: the host cluster may hold others. */
    public static long compressed(long hostOffset, int sizeBytes, ClusterGeometry geometry) {
        long moreSectors = ((hostOffset + sizeBytes - 1) >>> 9) - (hostOffset >>> 9);
        return COMPRESSED | moreSectors << compressedOffsetBits(geometry) | hostOffset;
    }

    /** Bytes that the compressed data may fill at most: to the end of the last of its 512-byte sectors. */
    public static int compressedBytes(long entry, ClusterGeometry geometry) {
        int shift = compressedOffsetBits(geometry);
        long sectors = ((entry >>> shift) & ((1L << (62 - shift)) - 1)) + 1;
        return (int) (sectors * 512 - (compressedOffset(entry, geometry) & 511));
    }
}
