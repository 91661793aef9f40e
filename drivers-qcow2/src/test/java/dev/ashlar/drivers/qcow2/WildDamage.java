package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.hostile.HostileTables;
import dev.ashlar.testkit.hostile.UsedImage;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Changes words of an image's header and tables to such as do the most harm: other tables' places, places behind the end, flags, garbage. Reads the image by code of its own. */
final class WildDamage {
    private static final long OFFSET = 0x00ff_ffff_ffff_fe00L;
    private static final int DISK_BYTES = 96 << 10;
    /** Fields of the header and how many bytes each has. */
    private static final int[][] FIELDS = {{24, 8}, {36, 4}, {40, 8}, {48, 8}, {56, 4}, {60, 4}, {64, 8}, {72, 8}};

    private final SparseBytes image;
    private final Random random;
    private final long clusterBytes;
    private final long firstBlock;
    private final StringBuilder told = new StringBuilder();
    /** Words of tables that name places in the file. */
    private final List<Long> words = new ArrayList<>();
    /** Where tables lie. */
    private final List<Long> tables = new ArrayList<>();

    /** @param image is changed */
    WildDamage(SparseBytes image, Random random) {
        this.image = image;
        this.random = random;
        this.clusterBytes = 1L << number(20, 4);
        this.firstBlock = number(number(48, 8), 8);
        layer(number(40, 8), (int) number(36, 4));
        snapshots();
        for (int i = 0; i < clusterBytes / 8 && number(number(48, 8) + 8L * i, 8) != 0; i++) {
            words.add(number(48, 8) + 8L * i);
            tables.add(number(number(48, 8) + 8L * i, 8));
        }
        words.add(number(48, 8) + 8);
        tables.add(number(48, 8));
    }

    private void layer(long l1, int entries) {
        tables.add(l1);
        for (int i = 0; i < entries; i++) {
            words.add(l1 + 8L * i);
            long l2 = number(l1 + 8L * i, 8) & OFFSET;
            if (l2 == 0) {
                continue;
            }
            tables.add(l2);
            for (int j = 0; j < clusterBytes / 8; j++) {
                if (number(l2 + 8L * j, 8) != 0 || j < 4) {
                    words.add(l2 + 8L * j);
                }
            }
        }
    }

    private void snapshots() {
        long at = number(64, 8);
        int count = (int) number(60, 4);
        for (int i = 0; i < count; i++) {
            for (int field = 0; field < 64; field += 8) {
                words.add(at + field);
            }
            layer(number(at, 8), (int) number(at + 8, 4));
            long bytes = 40 + number(at + 36, 4) + number(at + 12, 2) + number(at + 14, 2);
            at += (bytes + 7) & -8;
        }
    }

    private long number(long offset, int bytes) {
        ByteBuffer value = ByteBuffer.allocate(8);
        value.put(8 - bytes, image.read(offset, bytes));
        return value.getLong(0);
    }

    private void put(long offset, int bytes, long value) {
        told.append(String.format(" %d:%d 0x%x->0x%x", offset, bytes, number(offset, bytes), value));
        image.write(offset, ByteBuffer.allocate(8).putLong(value).array(), 8 - bytes, bytes);
    }

    /** @return what was done */
    String inflict() {
        int changes = 1 + random.nextInt(3);
        for (int i = 0; i < changes; i++) {
            int ticket = random.nextInt(20);
            if (ticket == 0) {
                image.setLengthBytes(image.lengthBytes() - 1 - random.nextInt((int) image.lengthBytes() / 3));
                told.append(" cut to ").append(image.lengthBytes());
            } else if (ticket < 3) {
                int[] field = FIELDS[random.nextInt(FIELDS.length)];
                put(field[0], field[1], word(number(field[0], field[1])));
            } else if (ticket < 6) {
                count();
            } else {
                long at = words.get(random.nextInt(words.size()));
                put(at, 8, word(number(at, 8)));
            }
        }
        return told.toString();
    }

    /** A word of a refcount block. */
    private void count() {
        long at = firstBlock + random.nextInt(64);
        put(at, 1, random.nextBoolean() ? 0 : random.nextInt(256));
    }

    private long word(long now) {
        long clusters = image.lengthBytes() / clusterBytes;
        long inside = random.nextLong(clusters) * clusterBytes;
        long copied = random.nextBoolean() ? Long.MIN_VALUE : 0;
        return switch (random.nextInt(12)) {
            case 0 -> 0;
            case 1 -> random.nextInt(8) == 0 ? -1 : random.nextInt(5);
            case 2 -> now ^ 1L << random.nextInt(64);
            case 3 -> random.nextLong();
            case 4 -> copied | inside | 512;
            case 5 -> copied | (clusters + random.nextInt(4)) * clusterBytes;
            case 6 -> copied | (clusters + random.nextLong(1L << 36)) * clusterBytes & OFFSET;
            case 7 -> 1L << 62 | inside + random.nextInt(600);
            case 8 -> number(words.get(random.nextInt(words.size())), 8);
            case 9 -> copied | inside | 1;
            case 10 -> copied | inside;
            default -> copied | tables.get(random.nextInt(tables.size()));
        };
    }

    /** Sound images with all that the format has, in few and small clusters; not to be changed, but forked. */
    static List<SparseBytes> bases() throws BlockException {
        List<SparseBytes> images = new ArrayList<>();
        images.add(HostileTables.sound());
        images.add(used("cluster_size", "512"));
        images.add(used("cluster_size", "4096", "refcount_bits", "2"));
        images.add(used("cluster_size", "512", "refcount_bits", "64"));
        images.add(used("cluster_size", "1024", "compat", "0.10"));
        images.add(used("cluster_size", "16384", "extended_l2", "on"));
        return images;
    }

    private static SparseBytes used(String... options) throws BlockException {
        Map<String, String> all = new HashMap<>();
        all.put("size", Integer.toString(DISK_BYTES));
        for (int i = 0; i < options.length; i += 2) {
            all.put(options[i], options[i + 1]);
        }
        return UsedImage.of(new Qcow2Driver(), DISK_BYTES, all);
    }
}
