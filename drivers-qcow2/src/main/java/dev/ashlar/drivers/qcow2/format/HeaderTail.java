package dev.ashlar.drivers.qcow2.format;

import java.lang.foreign.MemorySegment;

/**
 * What the header's first sector reads behind itself: the rest of the extensions with their end mark, and the name of the backing file. It has to stay as it is until
 * another first sector is in force (rule R7).
 */
public final class HeaderTail {
    private static final int NAME_OFFSET_AT = 8;
    private static final int NAME_BYTES_AT = 16;
    private static final int EXTENSION_HEAD_BYTES = 8;

    private HeaderTail() {}

    /** @param cluster the first cluster of a valid image, or its front @return where the extensions end, end mark included */
    static int extensionsEnd(MemorySegment cluster) {
        long at = Bits.u32(cluster, 4) < 3 ? Qcow2Header.V2_BYTES : Bits.u32(cluster, 100);
        long name = Bits.u64(cluster, NAME_OFFSET_AT);
        long limit = name > 0 ? Math.min(name, cluster.byteSize()) : cluster.byteSize();
        while (at + EXTENSION_HEAD_BYTES <= limit && (int) Bits.u32(cluster, at) != HeaderExtension.END) {
            at += EXTENSION_HEAD_BYTES + (Bits.u32(cluster, at + 4) + 7 & ~7L);
        }
        return (int) Math.min(limit, at + EXTENSION_HEAD_BYTES);
    }

    /** Offset of the backing file's name, 0 for none. */
    static int nameOffset(MemorySegment cluster) {
        return (int) Bits.u64(cluster, NAME_OFFSET_AT);
    }

    static int nameBytes(MemorySegment cluster) {
        return nameOffset(cluster) == 0 ? 0 : (int) Bits.u32(cluster, NAME_BYTES_AT);
    }

    /**
     * Whether the later sectors of a new front leave what the old first sector reads.
     *
     * @param cluster the first cluster as it is
     * @param fresh the front that is to take its place, at most as long
     */
    public static boolean isKept(MemorySegment cluster, MemorySegment fresh) {
        int name = nameOffset(cluster);
        return isKept(cluster, fresh, Qcow2Header.SECTOR_BYTES, extensionsEnd(cluster))
                && isKept(cluster, fresh, Math.max(name, Qcow2Header.SECTOR_BYTES), name + nameBytes(cluster));
    }

    private static boolean isKept(MemorySegment cluster, MemorySegment fresh, long from, long to) {
        long end = Math.min(to, fresh.byteSize());
        return end <= from || MemorySegment.mismatch(cluster, from, end, fresh, from, end) < 0;
    }
}
