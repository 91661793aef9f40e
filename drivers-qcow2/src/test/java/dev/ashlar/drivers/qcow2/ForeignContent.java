package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.testkit.SparseBytes;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;

/** What another program keeps in an image where the format lets it, and this driver knows nothing of: put there and read without the driver. */
final class ForeignContent {
    static final String FEATURE_NAMES = "extension 0x6803f857";
    static final String UNKNOWN_EXTENSION = "extension 0x41535a31";
    private static final int FEATURE_NAMES_TYPE = 0x6803f857;
    private static final int HEAD_BYTES = 40;
    private static final int KNOWN_EXTRA_BYTES = 24;

    private ForeignContent() {}

    /** Names for features of the owner's, an extension of a length that is filled up, and more extra data of each snapshot. */
    static void plant(RawImage image) throws BlockException {
        plantExtensions(image);
        plantExtraData(image);
    }

    private static void plantExtensions(RawImage image) throws BlockException {
        boolean three = image.u32(4) >= 3;
        int headerBytes = three ? image.u32(100) : 72;
        int nameAt = (int) image.u64(8);
        int nameBytes = nameAt == 0 ? 0 : image.u32(16);
        byte[] name = image.bytes(nameAt, nameBytes);
        ByteArrayOutputStream fresh = new ByteArrayOutputStream();
        for (long at = headerBytes; image.u32(at) != 0; at += 8 + (image.u32(at + 4) + 7 & -8)) {
            if (image.u32(at) != FEATURE_NAMES_TYPE) {
                fresh.writeBytes(image.bytes(at, 8 + (image.u32(at + 4) + 7 & -8)));
            }
        }
        if (three) {
            byte[] feature = new byte[48];
            feature[0] = 1;
            feature[1] = 33;
            byte[] title = "somebody else's".getBytes(StandardCharsets.US_ASCII);
            System.arraycopy(title, 0, feature, 2, title.length);
            fresh.writeBytes(extension(FEATURE_NAMES_TYPE, feature));
        }
        fresh.writeBytes(extension(0x41535a31, "nobody knows".concat("!").getBytes(StandardCharsets.US_ASCII)));
        fresh.writeBytes(new byte[8]);
        int end = headerBytes + fresh.size();
        if (end + nameBytes > 1 << image.clusterBits()) {
            throw new IllegalStateException("no room in the header cluster");
        }
        image.put(headerBytes, fresh.toByteArray());
        if (nameBytes > 0) {
            image.put(end, name);
            image.putU64(8, end);
        }
    }

    private static byte[] extension(int type, byte[] data) {
        return ByteBuffer.allocate(8 + (data.length + 7 & -8))
                .putInt(type)
                .putInt(data.length)
                .put(data)
                .array();
    }

    /** In place, as far as the clusters of the table have room. */
    private static void plantExtraData(RawImage image) throws BlockException {
        int count = image.u32(60);
        long table = image.u64(64);
        ByteArrayOutputStream fresh = new ByteArrayOutputStream();
        long at = table;
        for (int i = 0; i < count; i++) {
            int extra = image.u32(at + 36);
            int text = text(image, at);
            byte[] entry = image.bytes(at, HEAD_BYTES + extra);
            ByteBuffer.wrap(entry).putInt(36, extra + 11);
            fresh.writeBytes(entry);
            fresh.writeBytes(("extra" + i + "\0\377....").substring(0, 11).getBytes(StandardCharsets.ISO_8859_1));
            fresh.writeBytes(image.bytes(at + HEAD_BYTES + extra, text));
            fresh.writeBytes(new byte[-fresh.size() & 7]);
            at += HEAD_BYTES + extra + text + 7 & -8;
        }
        int cluster = 1 << image.clusterBits();
        if (Math.ceilDiv(fresh.size(), cluster) <= Math.ceilDiv(at - table, cluster)) {
            image.put(table, fresh.toByteArray());
        }
    }

    private static int text(RawImage image, long entry) {
        ByteBuffer lengths = ByteBuffer.wrap(image.bytes(entry + 12, 4));
        return (lengths.getShort(0) & 0xffff) + (lengths.getShort(2) & 0xffff);
    }

    /** Extensions by type, unknown extra data by the id of the snapshot, and the version. */
    static Map<String, String> in(SparseBytes content) {
        ByteBuffer image = ByteBuffer.wrap(content.read(0, (int) content.lengthBytes()));
        Map<String, String> found = new LinkedHashMap<>();
        int version = image.getInt(4);
        found.put("version", Integer.toString(version));
        for (int at = version >= 3 ? image.getInt(100) : 72; image.getInt(at) != 0; ) {
            int length = image.getInt(at + 4);
            found.put("extension 0x" + Integer.toHexString(image.getInt(at)), hex(image, at + 8, length));
            at += 8 + (length + 7 & -8);
        }
        int at = (int) image.getLong(64);
        for (int i = 0; i < image.getInt(60); i++) {
            int extra = image.getInt(at + 36);
            int idBytes = image.getShort(at + 12) & 0xffff;
            int text = idBytes + (image.getShort(at + 14) & 0xffff);
            int known = Math.min(extra, KNOWN_EXTRA_BYTES);
            found.put(
                    "snapshot " + hex(image, at + HEAD_BYTES + extra, idBytes),
                    hex(image, at + HEAD_BYTES + known, extra - known));
            at += HEAD_BYTES + extra + text + 7 & -8;
        }
        return found;
    }

    private static String hex(ByteBuffer image, int at, int count) {
        byte[] bytes = new byte[count];
        image.get(at, bytes);
        return HexFormat.of().formatHex(bytes);
    }
}
