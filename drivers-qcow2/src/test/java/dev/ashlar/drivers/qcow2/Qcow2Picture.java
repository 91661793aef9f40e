package dev.ashlar.drivers.qcow2;

import dev.ashlar.testkit.SparseBytes;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * All references in an image, read by code that shares nothing with the driver: who names each host cluster, and its refcount. Nothing is assumed of the
 * image: what can't be followed is a problem, not an exception. Source: qcow2 specification.
 */
final class Qcow2Picture {
    /** What a cluster is for whoever refers to it. */
    enum Use {
        HEADER,
        L1,
        L2,
        DATA,
        COMPRESSED,
        REFCOUNT_TABLE,
        REFCOUNT_BLOCK,
        SNAPSHOT_TABLE,
        BITMAP,
        ENCRYPTION
    }

    /**
     * One reference.
     *
     * @param layer -1 for the live disk, else the place of the snapshot in the table
     * @param guestCluster of data, else the index in the table that holds the reference
     * @param copied the flag beside it, in the live layer
     */
    record Reference(Use use, int layer, long guestCluster, boolean copied) {}

    private static final long OFFSET = 0x00ff_ffff_ffff_fe00L;
    private static final long COPIED = 1L << 63;
    private static final long COMPRESSED = 1L << 62;
    private static final int BITMAPS_EXTENSION = 0x23852875;
    private static final int LUKS_EXTENSION = 0x0537be77;

    private final SparseBytes image;
    private final Map<Long, List<Reference>> references = new HashMap<>();
    private final List<String> problems = new ArrayList<>();
    private int clusterBits;
    private int refcountOrder;
    private long refcountTable;
    private long refcountTableEntries;
    private long incompatible;
    private long autoclear;
    private boolean extended;

    Qcow2Picture(SparseBytes image) {
        this.image = image;
        if (image.lengthBytes() < 72 || u32(0) != 0x514649fbL) {
            problems.add("no header");
            return;
        }
        read();
    }

    private long u32(long offset) {
        return ByteBuffer.wrap(bytes(offset, 4)).getInt() & 0xffff_ffffL;
    }

    private long u64(long offset) {
        return ByteBuffer.wrap(bytes(offset, 8)).getLong();
    }

    private byte[] bytes(long offset, int count) {
        return offset < 0 || offset > image.lengthBytes() - count ? new byte[count] : image.read(offset, count);
    }

    /** Big-endian words of a table, cut at the end of the file. */
    private long[] words(long offset, long count) {
        if (offset < 0 || count < 0 || offset > image.lengthBytes()) {
            problems.add("table at " + offset);
            return new long[0];
        }
        int inside = (int) Math.min(count, (image.lengthBytes() - offset) / 8);
        long[] words = new long[inside];
        ByteBuffer.wrap(image.read(offset, inside * 8)).asLongBuffer().get(words);
        return words;
    }

    private void read() {
        long version = u32(4);
        clusterBits = (int) u32(20);
        if (version < 2 || version > 3 || clusterBits < 9 || clusterBits > 21) {
            problems.add("header of version " + version + " with cluster bits " + clusterBits);
            clusterBits = 16;
            return;
        }
        refcountOrder = version == 2 ? 4 : (int) u32(96);
        incompatible = version == 2 ? 0 : u64(72);
        autoclear = version == 2 ? 0 : u64(88);
        extended = (incompatible & 16) != 0;
        add(0, clusterBytes(), new Reference(Use.HEADER, -1, 0, false));
        long sizeBytes = u64(24);
        long l1Entries = u32(36);
        if (l1Entries * entriesPerL2() < Math.ceilDiv(sizeBytes, clusterBytes())) {
            problems.add("an L1 table of " + l1Entries + " entries is too short for " + sizeBytes + " bytes");
        }
        layer(-1, u64(40), l1Entries);
        refcounts(u64(48), u32(56));
        snapshots(u64(64), u32(60));
        extensions(version == 2 ? 72 : u32(100));
    }

    private long clusterBytes() {
        return 1L << clusterBits;
    }

    private long entriesPerL2() {
        return clusterBytes() / (extended ? 16 : 8);
    }

    private void add(long offset, long lengthBytes, Reference reference) {
        if (lengthBytes <= 0) {
            return;
        }
        if (offset < 0 || offset > image.lengthBytes() - lengthBytes) {
            problems.add(reference + " at " + offset + " is behind the end of the file, " + image.lengthBytes());
        }
        for (long cluster = offset >> clusterBits; cluster <= (offset + lengthBytes - 1) >> clusterBits; cluster++) {
            references.computeIfAbsent(cluster, key -> new ArrayList<>(2)).add(reference);
        }
    }

    private void layer(int layer, long offset, long entries) {
        add(offset, entries * 8, new Reference(Use.L1, layer, 0, false));
        long[] l1 = words(offset, entries);
        for (int i = 0; i < l1.length; i++) {
            long l2 = l1[i] & OFFSET;
            if (l2 != 0) {
                add(l2, clusterBytes(), new Reference(Use.L2, layer, i, layer < 0 && (l1[i] & COPIED) != 0));
                l2(layer, l2, i * entriesPerL2());
            }
        }
    }

    private void l2(int layer, long offset, long firstGuestCluster) {
        long[] words = words(offset, clusterBytes() / 8);
        int step = extended ? 2 : 1;
        for (int i = 0; i < words.length; i += step) {
            long word = words[i];
            long guestCluster = firstGuestCluster + i / step;
            if ((word & COMPRESSED) != 0) {
                int sectorShift = 62 - (clusterBits - 8);
                long at = word & (1L << sectorShift) - 1;
                long sectors = (word >> sectorShift & (1L << clusterBits - 8) - 1) + 1;
                long length = sectors * 512 - (at & 511);
                add(
                        at,
                        Math.min(length, Math.max(1, image.lengthBytes() - at)),
                        new Reference(Use.COMPRESSED, layer, guestCluster, false));
            } else if ((word & OFFSET) != 0 && (incompatible & 4) == 0) {
                boolean copied = layer < 0 && (word & COPIED) != 0;
                add(word & OFFSET, clusterBytes(), new Reference(Use.DATA, layer, guestCluster, copied));
            }
        }
    }

    private void refcounts(long offset, long clusters) {
        refcountTable = offset;
        refcountTableEntries = clusters * clusterBytes() / 8;
        add(offset, clusters * clusterBytes(), new Reference(Use.REFCOUNT_TABLE, -1, 0, false));
        long[] table = words(offset, refcountTableEntries);
        for (int i = 0; i < table.length; i++) {
            if (table[i] != 0) {
                add(table[i], clusterBytes(), new Reference(Use.REFCOUNT_BLOCK, -1, i, false));
            }
        }
    }

    private void snapshots(long offset, long count) {
        long at = offset;
        for (int i = 0; i < count; i++) {
            if (at < 0 || at + 40 > image.lengthBytes()) {
                problems.add("snapshot " + i + " of " + count + " is behind the end of the file");
                return;
            }
            long bytes = 40 + u32(at + 36) + (u32(at + 12) >> 16) + (u32(at + 12) & 0xffff);
            long l1Offset = u64(at);
            if (l1Offset == 0 && u32(at + 8) != 0) {
                problems.add("snapshot " + i + " is not there");
                return;
            }
            layer(i, l1Offset, u32(at + 8));
            at += bytes + 7 & -8L;
        }
        add(offset, at - offset, new Reference(Use.SNAPSHOT_TABLE, -1, 0, false));
    }

    private void extensions(long headerBytes) {
        long at = headerBytes;
        while (at + 8 <= clusterBytes() && u32(at) != 0) {
            long length = u32(at + 4);
            if ((int) u32(at) == BITMAPS_EXTENSION && (autoclear & 1) != 0) {
                bitmaps(u64(at + 24), u64(at + 16));
            } else if ((int) u32(at) == LUKS_EXTENSION) {
                add(u64(at + 8), u64(at + 16), new Reference(Use.ENCRYPTION, -1, 0, false));
            }
            at += 8 + (length + 7 & -8L);
        }
    }

    private void bitmaps(long directory, long directoryBytes) {
        Reference use = new Reference(Use.BITMAP, -1, 0, false);
        add(directory, directoryBytes, use);
        for (long at = directory; at + 24 <= directory + directoryBytes; ) {
            long table = u64(at);
            long entries = u32(at + 8);
            add(table, entries * 8, use);
            for (long word : words(table, entries)) {
                if ((word & OFFSET) != 0) {
                    add(word & OFFSET, clusterBytes(), use);
                }
            }
            at += 24 + u32(at + 20) + (u32(at + 16) >> 16 & 0xffff) + 7 & -8L;
        }
    }

    /** The refcount that the image records. */
    long count(long cluster) {
        int blockBits = clusterBits + 3 - refcountOrder;
        long index = cluster >> blockBits;
        long block = index < refcountTableEntries ? u64(refcountTable + 8 * index) : 0;
        if (block == 0) {
            return 0;
        }
        long within = cluster & (1L << blockBits) - 1;
        if (refcountOrder >= 3) {
            int width = 1 << refcountOrder - 3;
            long value = 0;
            for (byte b : bytes(block + within * width, width)) {
                value = value << 8 | b & 0xff;
            }
            return value;
        }
        int bits = 1 << refcountOrder;
        int perByte = 8 / bits;
        int shift = (int) (within % perByte) * bits;
        return bytes(block + within / perByte, 1)[0] >> shift & (1 << bits) - 1;
    }

    List<Reference> references(long cluster) {
        return references.getOrDefault(cluster, List.of());
    }

    Iterable<Long> referencedClusters() {
        return references.keySet();
    }

    List<String> problems() {
        return problems;
    }

    int clusterBits() {
        return clusterBits;
    }

    boolean isDirty() {
        return (incompatible & 1) != 0;
    }

    boolean isCorrupt() {
        return (incompatible & 2) != 0;
    }

    long autoclear() {
        return autoclear;
    }
}
