package dev.ashlar.testkit.hostile;

import dev.ashlar.testkit.SparseBytes;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Images with one thing wrong behind the header, in tables that refer to one another. The sound one has something of everything, in clusters of 4 KiB:
 *
 * <pre>
 *   0 header   1 refcount table   2 refcount block   3 active L1    4 L2, shared with the snapshot   5 data, shared
 *   6 snapshot table   7 snapshot's L1   8 bitmap directory   9 bitmap table   10 bits   11 compressed data
 * </pre>
 *
 * <p>Guest cluster 0 is data, 1 compressed, 2 zero.
 */
public final class HostileTables {
    public static final int CLUSTER_BYTES = 4096;

    /** Clusters that nothing of a guest's may ever be written to: header, refcount table, refcount block. */
    public static final int PROTECTED_CLUSTERS = 3;

    public static final long DISK_BYTES = 1 << 20;

    private static final int CLUSTERS = 12;
    private static final int REFCOUNT_TABLE = CLUSTER_BYTES;
    private static final int REFCOUNT_BLOCK = 2 * CLUSTER_BYTES;
    private static final int ACTIVE_L1 = 3 * CLUSTER_BYTES;
    private static final int L2 = 4 * CLUSTER_BYTES;
    private static final int DATA = 5 * CLUSTER_BYTES;
    private static final int SNAPSHOT_TABLE = 6 * CLUSTER_BYTES;
    private static final int SNAPSHOT_L1 = 7 * CLUSTER_BYTES;
    private static final int BITMAP_DIRECTORY = 8 * CLUSTER_BYTES;
    private static final int BITMAP_TABLE = 9 * CLUSTER_BYTES;
    private static final int BITS = 10 * CLUSTER_BYTES;
    private static final int COMPRESSED = 11 * CLUSTER_BYTES;
    private static final int EXTENSION = 104;
    private static final long BEHIND_THE_END = 1L << 40;
    private static final long COMPRESSED_FLAG = 1L << 62;
    /** In clusters of 4 KiB. */
    private static final int COMPRESSED_SECTORS_SHIFT = 58;

    private HostileTables() {}

    /** The image without fault. */
    public static SparseBytes sound() {
        return SparseBytes.of(soundBytes());
    }

    private static byte[] soundBytes() {
        ByteBuffer image = ByteBuffer.allocate(CLUSTERS * CLUSTER_BYTES);
        image.putInt(0, 0x514649fb).putInt(4, 3).putInt(20, 12).putLong(24, DISK_BYTES);
        image.putInt(36, 1).putLong(40, ACTIVE_L1).putLong(48, REFCOUNT_TABLE).putInt(56, 1);
        image.putInt(60, 1)
                .putLong(64, SNAPSHOT_TABLE)
                .putLong(88, 1)
                .putInt(96, 4)
                .putInt(100, 104);
        image.putInt(EXTENSION, 0x23852875).putInt(EXTENSION + 4, 24).putInt(EXTENSION + 8, 1);
        image.putLong(EXTENSION + 16, 32).putLong(EXTENSION + 24, BITMAP_DIRECTORY);
        image.putLong(REFCOUNT_TABLE, REFCOUNT_BLOCK);
        for (int i = 0; i < CLUSTERS; i++) {
            boolean shared = i == 4 || i == 5 || i == 11;
            image.putShort(REFCOUNT_BLOCK + 2 * i, (short) (shared ? 2 : 1));
        }
        image.putLong(ACTIVE_L1, L2).putLong(SNAPSHOT_L1, L2);
        image.putLong(L2, DATA).putLong(L2 + 8, COMPRESSED_FLAG | COMPRESSED).putLong(L2 + 16, 1);
        image.put(DATA, "data".getBytes(StandardCharsets.US_ASCII));
        snapshotEntry(image);
        bitmapEntry(image);
        image.put(COMPRESSED, DeflatedCluster.of(new byte[CLUSTER_BYTES]));
        return image.array();
    }

    private static void snapshotEntry(ByteBuffer image) {
        image.putLong(SNAPSHOT_TABLE, SNAPSHOT_L1).putInt(SNAPSHOT_TABLE + 8, 1);
        image.putShort(SNAPSHOT_TABLE + 12, (short) 1).putShort(SNAPSHOT_TABLE + 14, (short) 4);
        image.putInt(SNAPSHOT_TABLE + 36, 24).putLong(SNAPSHOT_TABLE + 48, DISK_BYTES);
        image.putLong(SNAPSHOT_TABLE + 56, -1);
        image.put(SNAPSHOT_TABLE + 64, "1snap".getBytes(StandardCharsets.US_ASCII));
    }

    private static void bitmapEntry(ByteBuffer image) {
        image.putLong(BITMAP_DIRECTORY, BITMAP_TABLE)
                .putInt(BITMAP_DIRECTORY + 8, 1)
                .putInt(BITMAP_DIRECTORY + 12, 2);
        image.put(BITMAP_DIRECTORY + 16, (byte) 1).put(BITMAP_DIRECTORY + 17, (byte) 16);
        image.putShort(BITMAP_DIRECTORY + 18, (short) 4);
        image.put(BITMAP_DIRECTORY + 24, "bits".getBytes(StandardCharsets.US_ASCII));
        image.putLong(BITMAP_TABLE, BITS);
    }

    /** Images that are refused when they are opened; {@link HostileImage#word} is what the message names. */
    public static List<HostileImage> refused() {
        List<HostileImage> images = new ArrayList<>();
        images.add(changed("snapshot table behind the end", "snapshot", image -> image.putLong(64, BEHIND_THE_END)));
        images.add(changed("snapshot table in the last byte", "snapshot", image -> image.putInt(60, 60_000)));
        images.add(
                snapshot("snapshot with 1,025 bytes of extra data", image -> image.putInt(SNAPSHOT_TABLE + 36, 1025)));
        images.add(
                snapshot("snapshot with 2^32-1 bytes of extra data", image -> image.putInt(SNAPSHOT_TABLE + 36, -1)));
        images.add(snapshot(
                "snapshot whose name ends behind the file",
                image -> image.putInt(60, 2).putShort(SNAPSHOT_TABLE + 14, (short) -1)));
        images.add(
                snapshot("snapshot with an L1 table of 2^32-1 entries", image -> image.putInt(SNAPSHOT_TABLE + 8, -1)));
        images.add(snapshot("snapshot of a negative size", image -> image.putLong(SNAPSHOT_TABLE + 48, -1)));
        images.add(bitmaps("bitmap directory behind the end", image -> image.putLong(EXTENSION + 24, BEHIND_THE_END)));
        images.add(bitmaps("bitmap directory not aligned", image -> image.putLong(EXTENSION + 24, 8)));
        images.add(bitmaps("bitmap directory of 2^63 bytes", image -> image.putLong(EXTENSION + 16, Long.MIN_VALUE)));
        images.add(bitmaps("bitmap directory of no bytes", image -> image.putLong(EXTENSION + 16, 0)));
        images.add(bitmaps("70,000 bitmaps", image -> image.putInt(EXTENSION + 8, 70_000)));
        images.add(bitmaps("two bitmaps in a directory of one", image -> image.putInt(EXTENSION + 8, 2)));
        images.add(bitmaps("no bitmaps in a directory of one", image -> image.putInt(EXTENSION + 8, 0)));
        images.add(bitmaps("bitmap without a name", image -> image.putShort(BITMAP_DIRECTORY + 18, (short) 0)));
        images.add(bitmaps("bitmap with 2^32-1 bytes of extra data", image -> image.putInt(BITMAP_DIRECTORY + 20, -1)));
        images.add(bitmaps(
                "bitmap of an unknown type whose name is a terminal escape",
                image -> image.put(BITMAP_DIRECTORY + 16, (byte) 9).put(BITMAP_DIRECTORY + 24, (byte) 0x1b)));
        images.add(bitmaps("bitmap of granularity 2^63", image -> image.put(BITMAP_DIRECTORY + 17, (byte) 63)));
        images.add(bitmaps("bitmap of granularity 1", image -> image.put(BITMAP_DIRECTORY + 17, (byte) 0)));
        images.add(bitmaps("bitmap table of 2^32-1 entries", image -> image.putInt(BITMAP_DIRECTORY + 8, -1)));
        images.add(bitmaps("bitmap table not aligned", image -> image.putLong(BITMAP_DIRECTORY, BITMAP_TABLE + 8)));
        images.add(bitmaps("bitmap of an unknown type", image -> image.put(BITMAP_DIRECTORY + 16, (byte) 9)));
        return images;
    }

    /** Images that may open; a check finds that they are damaged, and nobody writes over what they damage. */
    public static List<HostileImage> damaged() {
        List<HostileImage> images = new ArrayList<>();
        addL1(images);
        addL2(images);
        addCompressed(images);
        addRefcounts(images);
        return images;
    }

    /** Images in which all tables are right, and one cluster of the disk, the second one, can't be read. */
    public static List<HostileImage> unreadable() {
        List<HostileImage> images = new ArrayList<>();
        images.add(changed("compressed data that explodes", "", image -> {
            byte[] bomb = DeflatedCluster.of(new byte[2 << 20]);
            image.put(COMPRESSED, bomb);
            image.putLong(L2 + 8, COMPRESSED_FLAG | (bomb.length / 512L << COMPRESSED_SECTORS_SHIFT) | COMPRESSED);
        }));
        images.add(changed("compressed data that is short of a cluster", "", image -> {
            image.put(COMPRESSED, new byte[512]);
            image.put(COMPRESSED, DeflatedCluster.of(new byte[CLUSTER_BYTES - 1]));
        }));
        images.add(changed(
                "compressed data that is none", "", image -> image.put(COMPRESSED, new byte[] {7, 7, 7, 7, 7, 7})));
        return images;
    }

    /** Images in which all tables are right, and names are such as harm who prints them. */
    public static List<HostileImage> illNamed() {
        List<HostileImage> images = new ArrayList<>();
        images.add(changed("snapshot whose name is a terminal escape", "", image -> named(image, "\u001b[2J")));
        images.add(changed("snapshot whose name has lines", "", image -> named(image, "a\r\nb")));
        images.add(changed("snapshot whose name is half a character", "", image -> {
            named(image, "half");
            image.put(SNAPSHOT_TABLE + 65 + 3, (byte) 0xe2);
        }));
        return images;
    }

    private static void named(ByteBuffer image, String name) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        image.putShort(SNAPSHOT_TABLE + 14, (short) bytes.length);
        image.put(SNAPSHOT_TABLE + 65, bytes);
    }

    private static void addL1(List<HostileImage> images) {
        images.add(changed("L1 entry not aligned", "", image -> image.putLong(ACTIVE_L1, L2 + 512)));
        images.add(changed("L1 entry behind the end", "", image -> image.putLong(ACTIVE_L1, BEHIND_THE_END)));
        images.add(changed("L1 entry that names the L1 table", "", image -> image.putLong(ACTIVE_L1, ACTIVE_L1)));
        images.add(changed(
                "L1 entry that names the refcount block", "", image -> image.putLong(ACTIVE_L1, REFCOUNT_BLOCK)));
        images.add(changed(
                "L1 entry that names the refcount table", "", image -> image.putLong(ACTIVE_L1, REFCOUNT_TABLE)));
        images.add(changed("L1 entry with reserved bits", "", image -> image.putLong(ACTIVE_L1, L2 | 0x1ff)));
        images.add(changed("L1 entry within the header", "", image -> image.putLong(ACTIVE_L1, 512)));
        images.add(changed("L1 entry that names the header", "", image -> image.putLong(ACTIVE_L1, Long.MIN_VALUE)));
        images.add(changed("L1 entry with all bits", "", image -> image.putLong(ACTIVE_L1, -1)));
        images.add(changed(
                "snapshot's L1 entry that names the header's neighbour",
                "",
                image -> image.putLong(SNAPSHOT_L1, REFCOUNT_TABLE)));
        images.add(changed(
                "snapshot's L1 table over the header, which names the refcount table",
                "",
                image -> image.putLong(SNAPSHOT_TABLE, 0).putInt(SNAPSHOT_TABLE + 8, 8)));
        images.add(changed(
                "snapshot's L1 table not aligned", "", image -> image.putLong(SNAPSHOT_TABLE, SNAPSHOT_L1 + 8)));
        images.add(changed(
                "snapshot's L1 table behind the end", "", image -> image.putLong(SNAPSHOT_TABLE, BEHIND_THE_END)));
    }

    private static void addL2(List<HostileImage> images) {
        images.add(changed("L2 entry not aligned", "", image -> image.putLong(L2, DATA + 512)));
        images.add(changed("L2 entry behind the end", "", image -> image.putLong(L2, BEHIND_THE_END)));
        images.add(changed("L2 entry that names its own table", "", image -> image.putLong(L2, L2 | Long.MIN_VALUE)));
        images.add(changed(
                "L2 entry that names the L1 table", "", image -> image.putLong(L2, ACTIVE_L1 | Long.MIN_VALUE)));
        images.add(changed(
                "L2 entry that names the refcount block",
                "",
                image -> image.putLong(L2, REFCOUNT_BLOCK | Long.MIN_VALUE)));
        images.add(changed(
                "L2 entry that names the snapshot table",
                "",
                image -> image.putLong(L2, SNAPSHOT_TABLE | Long.MIN_VALUE)));
        images.add(changed("COPIED where a snapshot shares", "", image -> image.putLong(L2, DATA | Long.MIN_VALUE)));
        images.add(changed("two L2 entries for one cluster", "", image -> image.putLong(L2 + 80, DATA)));
        images.add(changed("L2 entry within the header", "", image -> image.putLong(L2, Long.MIN_VALUE | 512)));
        images.add(changed(
                "L2 entry of zeros that names the refcount table",
                "",
                image -> image.putLong(L2, Long.MIN_VALUE | REFCOUNT_TABLE | 1)));
        images.add(changed("L2 entry with all bits", "", image -> image.putLong(L2, -1)));
    }

    private static void addCompressed(List<HostileImage> images) {
        images.add(changed(
                "compressed data behind the end",
                "",
                image -> image.putLong(L2 + 8, COMPRESSED_FLAG | BEHIND_THE_END)));
        images.add(changed("compressed data with COPIED", "", image -> image.putLong(L2 + 8, -1L << 62 | COMPRESSED)));
        images.add(changed(
                "compressed data in the refcount block",
                "",
                image -> image.putLong(L2 + 8, COMPRESSED_FLAG | REFCOUNT_BLOCK)));
    }

    private static void addRefcounts(List<HostileImage> images) {
        images.add(changed("refcounts that are all zero", "", image -> {
            for (int i = 0; i < CLUSTERS; i++) {
                image.putShort(REFCOUNT_BLOCK + 2 * i, (short) 0);
            }
        }));
        images.add(changed("refcount of the header zero", "", image -> image.putShort(REFCOUNT_BLOCK, (short) 0)));
        images.add(changed("refcounts at their highest", "", image -> {
            for (int i = 0; i < CLUSTERS; i++) {
                image.putShort(REFCOUNT_BLOCK + 2 * i, (short) -1);
            }
        }));
        images.add(
                changed("refcount block not aligned", "", image -> image.putLong(REFCOUNT_TABLE, REFCOUNT_BLOCK + 8)));
        images.add(
                changed("refcount block behind the end", "", image -> image.putLong(REFCOUNT_TABLE, BEHIND_THE_END)));
        images.add(changed(
                "refcount block that is the refcount table",
                "",
                image -> image.putLong(REFCOUNT_TABLE, REFCOUNT_TABLE)));
        images.add(changed(
                "refcount block that is the header's cluster's neighbour twice",
                "",
                image -> image.putLong(REFCOUNT_TABLE + 8, REFCOUNT_BLOCK)));
        images.add(changed("no refcount block", "", image -> image.putLong(REFCOUNT_TABLE, 0)));
    }

    private static HostileImage snapshot(String name, Consumer<ByteBuffer> change) {
        return changed(name, "snapshot", change);
    }

    private static HostileImage bitmaps(String name, Consumer<ByteBuffer> change) {
        return changed(name, "bitmap", change);
    }

    private static HostileImage changed(String name, String word, Consumer<ByteBuffer> change) {
        ByteBuffer image = ByteBuffer.wrap(soundBytes());
        change.accept(image);
        return new HostileImage(name, SparseBytes.of(image.array()), word);
    }
}
