package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;

/**
 * Images with as many snapshots as wanted, written as the format has them and not one by one: each has its own L1 table, all share one L2 table and what it
 * names. Refcounts, of 32 bits, are set here too.
 */
final class ManySnapshots {
    static final int CLUSTER_BYTES = 512;
    static final int DISK_BYTES = 32 << 10;
    /** Sectors from the start of the disk that have data, in all snapshots. */
    static final int DATA_CLUSTERS = 4;

    private ManySnapshots() {}

    static String name(int number) {
        return "nightly" + number;
    }

    /** What sector {@code cluster} of each snapshot holds. */
    static byte[] content(int cluster) {
        byte[] bytes = new byte[CLUSTER_BYTES];
        Arrays.fill(bytes, (byte) (cluster + 1));
        return bytes;
    }

    /** Snapshots 1 to {@code count}, numbered by id and by name. */
    static SparseBytes image(int count) throws BlockException {
        MemoryFile file = MemoryFile.empty("disk");
        MemoryProtocol protocol = new MemoryProtocol(file);
        DirectFormat.create(
                new Qcow2Driver(),
                protocol,
                Map.of(
                        "size", Integer.toString(DISK_BYTES),
                        "cluster_size", Integer.toString(CLUSTER_BYTES),
                        "refcount_bits", "32"));
        protocol.close();
        try (DirectFormat disk = DirectFormat.open(new Qcow2Driver(), new MemoryProtocol(file))) {
            for (int i = 0; i < DATA_CLUSTERS; i++) {
                disk.write((long) i * CLUSTER_BYTES, content(i));
            }
        }
        SparseBytes image = file.snapshot();
        long l1 = number(image, 40, 8);
        long l2 = number(image, l1, 8) & ~(1L << 63);
        put(image, l1, 8, l2);
        for (int i = 0; i < DATA_CLUSTERS; i++) {
            put(image, l2 + 8L * i, 8, number(image, l2 + 8L * i, 8) & ~(1L << 63));
        }
        long copies = Math.ceilDiv(image.lengthBytes(), CLUSTER_BYTES) * CLUSTER_BYTES;
        long table = copies + (long) count * CLUSTER_BYTES;
        long at = table;
        for (int i = 1; i <= count; i++) {
            put(image, copies + (i - 1L) * CLUSTER_BYTES, 8, l2);
            at += entry(image, at, copies + (i - 1L) * CLUSTER_BYTES, i);
        }
        put(image, 60, 4, count);
        put(image, 64, 8, table);
        counts(image, l2, count, Math.ceilDiv(at, CLUSTER_BYTES) * CLUSTER_BYTES);
        return image;
    }

    /** @return its length with padding */
    private static long entry(SparseBytes image, long at, long l1, int number) {
        byte[] id = Integer.toString(number).getBytes(StandardCharsets.US_ASCII);
        byte[] name = name(number).getBytes(StandardCharsets.US_ASCII);
        ByteBuffer entry = ByteBuffer.allocate(64 + id.length + name.length + 7 & -8);
        entry.putLong(l1).putInt(1).putShort((short) id.length).putShort((short) name.length);
        entry.putInt(1_700_000_000 + number).putInt(0).putLong(0).putInt(0).putInt(24);
        entry.putLong(0).putLong(DISK_BYTES).putLong(-1).put(id).put(name);
        image.write(at, entry.array(), 0, entry.capacity());
        return entry.capacity();
    }

    /** New blocks and a new table behind everything: all is counted once, but for what all layers share; the old ones are not counted. */
    private static void counts(SparseBytes image, long l2, int snapshots, long end) {
        int inBlock = CLUSTER_BYTES / 4;
        long clusters = end / CLUSTER_BYTES;
        long blocks = 0;
        long tableClusters = 0;
        while ((clusters + blocks + tableClusters) > blocks * inBlock || tableClusters * (CLUSTER_BYTES / 8) < blocks) {
            blocks = Math.ceilDiv(clusters + blocks + tableClusters, inBlock);
            tableClusters = Math.ceilDiv(blocks, CLUSTER_BYTES / 8);
        }
        long oldTable = number(image, 48, 8) / CLUSTER_BYTES;
        long oldBlock = number(image, oldTable * CLUSTER_BYTES, 8) / CLUSTER_BYTES;
        long total = clusters + blocks + tableClusters;
        image.setLengthBytes(total * CLUSTER_BYTES);
        for (long cluster = 0; cluster < total; cluster++) {
            boolean inUse = cluster != oldTable && cluster != oldBlock;
            put(image, end + cluster * 4, 4, inUse ? 1 : 0);
        }
        put(image, end + l2 / CLUSTER_BYTES * 4, 4, snapshots + 1L);
        for (int i = 0; i < DATA_CLUSTERS; i++) {
            put(image, end + number(image, l2 + 8L * i, 8) / CLUSTER_BYTES * 4, 4, snapshots + 1L);
        }
        long table = end + blocks * CLUSTER_BYTES;
        for (long i = 0; i < blocks; i++) {
            put(image, table + 8 * i, 8, end + i * CLUSTER_BYTES);
        }
        put(image, 48, 8, table);
        put(image, 56, 4, tableClusters);
    }

    private static long number(SparseBytes image, long offset, int bytes) {
        ByteBuffer value = ByteBuffer.allocate(8);
        value.put(8 - bytes, image.read(offset, bytes));
        return value.getLong(0);
    }

    private static void put(SparseBytes image, long offset, int bytes, long value) {
        image.write(offset, ByteBuffer.allocate(8).putLong(0, value).array(), 8 - bytes, bytes);
    }
}
