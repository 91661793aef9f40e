package dev.ashlar.drivers.qcow2.format;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.PrintableName;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * Codec of the bitmap directory.
 *
 * <pre>
 *   0 table offset (8)      8 table entries (4)    12 flags (4)
 *  16 type (1)             17 granularity bits (1) 18 name length (2)   20 extra data length (4)
 *  24 extra data, name, padding to 8
 * </pre>
 *
 * Source: qcow2 specification, "Bitmap directory".
 */
public final class BitmapDirectory {
    /** Where the flags are in an entry. */
    public static final int FLAGS_AT = 12;

    private BitmapDirectory() {}

    /**
     * @param directory all of it, at most 64 MiB
     * @param count entries that the header promises
     * @param diskBytes size of the disk, which bitmaps that are not in use cover
     * @throws BlockException CORRUPT, in QEMU's words
     */
    public static List<BitmapEntry> parse(MemorySegment directory, long count, long diskBytes, ClusterGeometry geometry)
            throws BlockException {
        List<BitmapEntry> entries = new ArrayList<>((int) Math.min(count, 1024));
        long at = 0;
        while (at < directory.byteSize()) {
            if (at + BitmapEntry.HEAD_BYTES > directory.byteSize()) {
                throw corrupt("Broken bitmap directory");
            }
            if (entries.size() == count) {
                throw corrupt("More bitmaps found than specified in header extension");
            }
            int nameBytes = Bits.u16(directory, at + 18);
            long extraBytes = Bits.u32(directory, at + 20);
            long end = at + BitmapEntry.encodedBytes(extraBytes, nameBytes);
            if (end > directory.byteSize()) {
                throw corrupt("Broken bitmap directory");
            }
            BitmapEntry entry = new BitmapEntry(
                    Bits.u64(directory, at),
                    Bits.u32(directory, at + 8),
                    (int) Bits.u32(directory, at + FLAGS_AT),
                    directory.get(ValueLayout.JAVA_BYTE, at + 17) & 0xff,
                    bytes(directory, at + BitmapEntry.HEAD_BYTES, extraBytes),
                    bytes(directory, at + BitmapEntry.HEAD_BYTES + extraBytes, nameBytes));
            int type = directory.get(ValueLayout.JAVA_BYTE, at + 16);
            if (type != BitmapEntry.TYPE_DIRTY_TRACKING || !isValid(entry, diskBytes, geometry)) {
                throw corrupt("Bitmap '" + PrintableName.of(entry.name()) + "' doesn't satisfy the constraints");
            }
            entries.add(entry);
            at = end;
        }
        if (entries.size() != count) {
            throw corrupt("Less bitmaps found than specified in header extension");
        }
        return entries;
    }

    private static boolean isValid(BitmapEntry entry, long diskBytes, ClusterGeometry geometry) {
        if (entry.tableEntries() == 0
                || entry.tableOffset() <= 0
                || entry.tableOffset() > ClusterGeometry.MAX_HOST_OFFSET
                || !geometry.isAligned(entry.tableOffset())
                || entry.tableEntries() > BitmapEntry.MAX_TABLE_ENTRIES
                || entry.granularityBits() > BitmapEntry.MAX_GRANULARITY_BITS
                || entry.granularityBits() < BitmapEntry.MIN_GRANULARITY_BITS
                || (entry.flags() & BitmapEntry.RESERVED) != 0
                || entry.rawName().length > BitmapEntry.MAX_NAME_BYTES
                || entry.rawName().length == 0) {
            return false;
        }
        long bytes = entry.tableEntries() * geometry.clusterBytes();
        return bytes <= BitmapEntry.MAX_BITMAP_BYTES
                && (entry.isInUse() || BitmapEntry.bytesFor(diskBytes, entry.granularityBits()) <= bytes);
    }

    public static byte[] encode(List<BitmapEntry> entries) {
        byte[] bytes = new byte[Math.toIntExact(encodedBytes(entries))];
        MemorySegment directory = MemorySegment.ofArray(bytes);
        int at = 0;
        for (BitmapEntry entry : entries) {
            Bits.putU64(directory, at, entry.tableOffset());
            Bits.putU32(directory, at + 8, entry.tableEntries());
            Bits.putU32(directory, at + FLAGS_AT, entry.flags());
            bytes[at + 16] = BitmapEntry.TYPE_DIRTY_TRACKING;
            bytes[at + 17] = (byte) entry.granularityBits();
            Bits.putU16(directory, at + 18, entry.rawName().length);
            Bits.putU32(directory, at + 20, entry.extra().length);
            int extraAt = at + BitmapEntry.HEAD_BYTES;
            System.arraycopy(entry.extra(), 0, bytes, extraAt, entry.extra().length);
            System.arraycopy(entry.rawName(), 0, bytes, extraAt + entry.extra().length, entry.rawName().length);
            at += (int) entry.encodedBytes();
        }
        return bytes;
    }

    public static long encodedBytes(List<BitmapEntry> entries) {
        long sum = 0;
        for (BitmapEntry entry : entries) {
            sum += entry.encodedBytes();
        }
        return sum;
    }

    private static byte[] bytes(MemorySegment from, long at, long length) {
        return from.asSlice(at, length).toArray(ValueLayout.JAVA_BYTE);
    }

    private static BlockException corrupt(String message) {
        return new BlockException(Kind.CORRUPT, message);
    }
}
