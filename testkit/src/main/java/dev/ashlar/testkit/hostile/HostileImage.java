package dev.ashlar.testkit.hostile;

import dev.ashlar.testkit.SparseBytes;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * A qcow2 image with one thing wrong.
 *
 * @param name tells what is wrong
 * @param word the field that the message of a refusal names, in any case
 */
public record HostileImage(String name, SparseBytes content, String word) {
    private static final int CLUSTER_BYTES = 65536;
    private static final int CLUSTERS = 4;
    private static final long DISK_BYTES = 1 << 20;
    private static final long BEHIND_THE_END = 1L << 40;
    private static final int EXTENSION = 104;

    /** Whether a message is fit to be shown: one line, no control characters, and it names the field. */
    public boolean isWellRefusedBy(String message) {
        return message.toLowerCase(Locale.ROOT).contains(word.toLowerCase(Locale.ROOT))
                && message.chars().noneMatch(c -> c < ' ' || (c >= 0x7f && c < 0xa0));
    }

    @Override
    public String toString() {
        return name;
    }

    /** An image without fault, from which the others are made: 1 MiB, clusters of 64 KiB, nothing allocated. */
    public static SparseBytes sound() {
        return SparseBytes.of(soundBytes());
    }

    /**
     * <pre>
     *   cluster 0  header, version 3, 104 bytes, end of extensions
     *   cluster 1  refcount table with one entry
     *   cluster 2  refcount block: clusters 0 to 3 counted once
     *   cluster 3  L1 table with one empty entry
     * </pre>
     */
    private static byte[] soundBytes() {
        ByteBuffer image = ByteBuffer.allocate(CLUSTERS * CLUSTER_BYTES);
        image.putInt(0, 0x514649fb).putInt(4, 3).putInt(20, 16).putLong(24, DISK_BYTES);
        image.putInt(36, 1).putLong(40, 3 * CLUSTER_BYTES);
        image.putLong(48, CLUSTER_BYTES).putInt(56, 1);
        image.putInt(96, 4).putInt(100, 104);
        image.putLong(CLUSTER_BYTES, 2 * CLUSTER_BYTES);
        for (int i = 0; i < CLUSTERS; i++) {
            image.putShort(2 * CLUSTER_BYTES + 2 * i, (short) 1);
        }
        return image.array();
    }

    /** All of them. */
    public static List<HostileImage> all() {
        List<HostileImage> images = new ArrayList<>();
        addShortAndForeign(images);
        addHeaderFields(images);
        addExtensions(images);
        addFeatures(images);
        addTables(images);
        addReferences(images);
        return images;
    }

    /** More of them, which the real program takes: it reads zeros where the file has ended, and does not ask what lies over the header. */
    public static List<HostileImage> refusedByAshlarAlone() {
        List<HostileImage> images = new ArrayList<>();
        images.add(changed("header of 105 bytes", "header length", image -> image.putInt(100, 105)));
        images.add(changed("L1 table behind the end", "L1", image -> image.putLong(40, BEHIND_THE_END)));
        images.add(changed("L1 table over the header", "L1", image -> image.putLong(40, 0)));
        images.add(changed("refcount table behind the end", "ref", image -> image.putLong(48, BEHIND_THE_END)));
        images.add(changed("refcount table over the header", "ref", image -> image.putLong(48, 0)));
        images.add(changed(
                "snapshot table behind the end",
                "snapshot",
                image -> image.putInt(60, 1).putLong(64, BEHIND_THE_END)));
        images.add(changed(
                "snapshot table over the header",
                "snapshot",
                image -> image.putInt(60, 1).putLong(64, 0)));
        return images;
    }

    private static void addShortAndForeign(List<HostileImage> images) {
        byte[] sound = soundBytes();
        images.add(new HostileImage("empty file", new SparseBytes(), ""));
        images.add(new HostileImage("zeros only", new SparseBytes(CLUSTER_BYTES), "format"));
        byte[] text = "this is a letter, not a disk\n".repeat(3000).getBytes(StandardCharsets.US_ASCII);
        images.add(new HostileImage("a text file", SparseBytes.of(text), "format"));
        for (int bytes : new int[] {4, 71, 103}) {
            byte[] cut = java.util.Arrays.copyOf(sound, bytes);
            images.add(new HostileImage("cut after " + bytes + " bytes", SparseBytes.of(cut), ""));
        }
        images.add(changed("wrong magic", "format", image -> image.putInt(0, 0x514649fc)));
    }

    private static void addHeaderFields(List<HostileImage> images) {
        images.add(changed("version 1", "version", image -> image.putInt(4, 1)));
        images.add(changed("version 4", "version", image -> image.putInt(4, 4)));
        images.add(changed("version 2^32-1", "version", image -> image.putInt(4, -1)));
        images.add(changed("clusters of 256 bytes", "cluster", image -> image.putInt(20, 8)));
        images.add(changed("clusters of 4 MiB", "cluster", image -> image.putInt(20, 22)));
        images.add(changed("cluster bits 2^32-1", "cluster", image -> image.putInt(20, -1)));
        images.add(changed("header of 96 bytes", "header", image -> image.putInt(100, 96)));
        images.add(changed("header longer than a cluster", "header", image -> image.putInt(100, CLUSTER_BYTES + 8)));
        images.add(changed("refcounts of 128 bits", "count", image -> image.putInt(96, 7)));
        images.add(changed("unknown encryption", "encrypt", image -> image.putInt(32, 9)));
        images.add(changed("LUKS without its header", "CRYPTO", image -> image.putInt(32, 2)));
        images.add(changed(
                "sub-clusters of 128 bytes",
                "subcluster",
                image -> image.putInt(20, 12).putLong(72, 16)));
        images.add(changed("a disk of 2^64-1 bytes", "big", image -> image.putLong(24, -1)));
        images.add(changed("a disk of 2^62 bytes", "big", image -> image.putLong(24, 1L << 62)));
        images.add(changed(
                "unknown compression",
                "compression type 9",
                image -> image.putInt(100, 112).putLong(72, 8).put(104, (byte) 9)));
        images.add(changed(
                "compression type without its bit",
                "compression",
                image -> image.putInt(100, 112).put(104, (byte) 1)));
    }

    private static void addExtensions(List<HostileImage> images) {
        for (int bytes : new int[] {CLUSTER_BYTES, Integer.MAX_VALUE, -1}) {
            images.add(changed(
                    "header extension of " + Integer.toUnsignedString(bytes) + " bytes",
                    "extension",
                    image -> image.putInt(EXTENSION, 0x12345678).putInt(EXTENSION + 4, bytes)));
        }
        images.add(changed(
                "header extension that reaches into the backing file's name",
                "extension",
                image -> image.putInt(EXTENSION, 0x12345678)
                        .putInt(EXTENSION + 4, 400)
                        .putLong(8, 300)
                        .putInt(16, 10)));
        images.add(changed(
                "backing format of 16 bytes",
                "backing_format",
                image -> image.putInt(EXTENSION, 0xe2792aca).putInt(EXTENSION + 4, 16)));
        images.add(changed(
                "bitmap extension of 8 bytes",
                "bitmaps_ext",
                image -> image.putInt(EXTENSION, 0x23852875)
                        .putInt(EXTENSION + 4, 8)
                        .putLong(88, 1)));
    }

    private static void addFeatures(List<HostileImage> images) {
        images.add(changed("unknown feature without a name", "feature", image -> image.putLong(72, 1L << 40)));
        images.add(changed("unknown feature with a name", "glass clusters", image -> named(image, "glass clusters")));
        images.add(changed(
                "unknown feature with a terminal escape in its name",
                "red alert",
                image -> named(image, "\u001b[31mred alert")));
    }

    private static void named(ByteBuffer image, String name) {
        image.putLong(72, 1L << 41);
        image.putInt(104, 0x6803f857).putInt(108, 48);
        image.put(112, (byte) 0).put(113, (byte) 41);
        image.put(114, name.getBytes(StandardCharsets.UTF_8));
    }

    private static void addTables(List<HostileImage> images) {
        images.add(changed("L1 table not aligned", "L1", image -> image.putLong(40, 3 * CLUSTER_BYTES + 512)));
        images.add(changed("L1 table of 2^31 entries", "L1", image -> image.putInt(36, Integer.MIN_VALUE)));
        images.add(changed("L1 table of 64 MiB", "L1", image -> image.putInt(36, 8 << 20)));
        images.add(changed("L1 table too small for the disk", "L1", image -> image.putLong(24, 1L << 40)));
        images.add(changed("refcount table not aligned", "ref", image -> image.putLong(48, CLUSTER_BYTES + 8)));
        images.add(changed("refcount table of 2^32-1 clusters", "ref", image -> image.putInt(56, -1)));
        images.add(changed(
                "refcount table of 2^32-1 clusters over the header",
                "ref",
                image -> image.putLong(48, 0).putInt(56, -1)));
        images.add(changed("refcount table of 64 MiB", "ref", image -> image.putInt(56, 1024)));
    }

    private static void addReferences(List<HostileImage> images) {
        images.add(changed(
                "70,000 snapshots",
                "snapshot",
                image -> image.putInt(60, 70_000).putLong(64, 3 * CLUSTER_BYTES)));
        images.add(changed(
                "snapshot table not aligned",
                "snapshot",
                image -> image.putInt(60, 1).putLong(64, 3 * CLUSTER_BYTES + 8)));
        images.add(changed(
                "backing file name at 2^63",
                "backing",
                image -> image.putLong(8, Long.MIN_VALUE).putInt(16, 10)));
        images.add(changed(
                "backing file name of 1,024 bytes",
                "backing",
                image -> image.putLong(8, 512).putInt(16, 1024)));
        images.add(changed(
                "backing file name behind the first cluster",
                "backing",
                image -> image.putLong(8, CLUSTER_BYTES - 10).putInt(16, 100)));
    }

    private static HostileImage changed(String name, String word, Consumer<ByteBuffer> change) {
        ByteBuffer image = ByteBuffer.wrap(soundBytes());
        change.accept(image);
        return new HostileImage(name, SparseBytes.of(image.array()), word);
    }
}
