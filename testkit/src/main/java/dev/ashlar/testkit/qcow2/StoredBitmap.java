package dev.ashlar.testkit.qcow2;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * A dirty bitmap as it stands in an image file.
 *
 * <pre>
 * extension 0x23852875   count:32  reserved:32  directory bytes:64  directory offset:64
 * directory entry        table offset:64  table entries:32  flags:32  type:8  log2 granularity:8  name bytes:16  extra bytes:32  extra  name  padding to 8
 * table entry            0: all zeros; 1: all ones; else the offset of a cluster of bits, the lowest bit of its first byte first
 * </pre>
 *
 * @param bits a bit for each granule of the disk
 */
public record StoredBitmap(String name, int granularityBytes, boolean isEnabled, boolean isInUse, BitSet bits) {
    private static final int EXTENSION = 0x23852875;
    private static final int END_OF_EXTENSIONS = 0;
    private static final int EXTENSION_HEADER_BYTES = 8;
    private static final int ENTRY_BYTES = 24;
    private static final int FLAG_IN_USE = 1;
    private static final int FLAG_AUTO = 2;

    /** All bitmaps of an image in the order of their directory. */
    public static List<StoredBitmap> readAll(Path image) throws IOException {
        try (Qcow2File file = Qcow2File.readOnly(image)) {
            List<StoredBitmap> result = new ArrayList<>();
            long at = file.headerBytes();
            for (int type = file.readInt(at); type != END_OF_EXTENSIONS; type = file.readInt(at)) {
                int length = file.readInt(at + 4);
                at += EXTENSION_HEADER_BYTES;
                if (type == EXTENSION) {
                    long entry = file.readLong(at + 16);
                    for (int left = file.readInt(at); left > 0; left--) {
                        result.add(read(file, entry));
                        entry += entryBytes(file, entry);
                    }
                }
                at += (length + 7L) / 8 * 8;
            }
            return result;
        }
    }

    private static int entryBytes(Qcow2File file, long entry) throws IOException {
        ByteBuffer buffer = file.read(entry, ENTRY_BYTES);
        return (ENTRY_BYTES + buffer.getShort(18) + buffer.getInt(20) + 7) / 8 * 8;
    }

    private static StoredBitmap read(Qcow2File file, long entry) throws IOException {
        ByteBuffer buffer = file.read(entry, ENTRY_BYTES);
        int flags = buffer.getInt(12);
        int granularityBytes = 1 << buffer.get(17);
        byte[] name = file.read(entry + ENTRY_BYTES + buffer.getInt(20), buffer.getShort(18))
                .array();
        return new StoredBitmap(
                new String(name, StandardCharsets.UTF_8),
                granularityBytes,
                (flags & FLAG_AUTO) != 0,
                (flags & FLAG_IN_USE) != 0,
                readBits(file, buffer.getLong(0), buffer.getInt(8), granularityBytes));
    }

    private static BitSet readBits(Qcow2File file, long table, int entries, int granularityBytes) throws IOException {
        int clusterBytes = file.clusterBytes();
        int count = (int) Math.ceilDiv(file.diskBytes(), (long) granularityBytes);
        BitSet result = new BitSet(count);
        for (int i = 0; i < entries; i++) {
            long value = file.readLong(table + 8L * i);
            int first = i * clusterBytes * 8;
            if (value == 1) {
                result.set(first, first + clusterBytes * 8);
            } else if (value != 0) {
                BitSet part = BitSet.valueOf(file.read(value, clusterBytes));
                part.stream().forEach(bit -> result.set(first + bit));
            }
        }
        result.clear(count, Math.max(count, result.length()));
        return result;
    }
}
