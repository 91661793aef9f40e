package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.ProtocolInstance;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * What an image is like, and which steps of {@link Operation} it can do.
 *
 * @param lazyRefcounts the image allows them; this driver keeps its counts all the same
 * @param clusters of the disk at first
 * @param bitmaps stored ones, which only a graph can change
 * @param backingBytes of what lies behind all that is not allocated: as long as the disk at first, or longer; 0: nothing does
 */
record ImageShape(
        int version,
        int clusterBytes,
        int refcountBits,
        boolean extendedL2,
        boolean lazyRefcounts,
        long backingBytes,
        int clusters,
        boolean bitmaps) {
    static final String BACKING_NAME = "base.raw";

    /** What a change asks of the image that it is tried on. */
    enum Need {
        VERSION_2,
        VERSION_3,
        SNAPSHOTS,
        COMPRESSION,
        NO_BACKING,
        BACKING,
        /** There is more of it than the disk shows. */
        LONGER_BACKING,
        SUBCLUSTERS,
        /** Tables that are full soon. */
        SMALL_CLUSTERS,
        /** Room behind the header's first sector. */
        PAGES,
        /** Small clusters and counts of 64 bits: a refcount block counts 64 of them. */
        SMALL_BLOCKS,
        /** As {@link #SMALL_BLOCKS}, and more clusters than one cluster of the refcount table reaches. */
        FULL_TABLE,
        /** Counts of 16 bits. */
        COUNTS_16,
        /** No snapshots and no compressed clusters but for those that the change makes. */
        PLAIN,
        /** No other work before it. */
        ALONE
    }

    private static final List<Integer> WIDTHS = List.of(1, 2, 4, 8, 16, 32, 64);

    static ImageShape random(Random random, List<Need> needs) {
        if (needs.contains(Need.SMALL_BLOCKS) || needs.contains(Need.FULL_TABLE)) {
            int clusters = needs.contains(Need.FULL_TABLE) ? 4300 : 250;
            return new ImageShape(3, 512, 64, false, random.nextInt(4) == 0, 0, clusters, false);
        }
        boolean two = needs.contains(Need.VERSION_2)
                || (!needs.contains(Need.VERSION_3) && !needs.contains(Need.SUBCLUSTERS) && random.nextInt(4) == 0);
        boolean extended = needs.contains(Need.SUBCLUSTERS)
                || (!two
                        && !needs.contains(Need.SMALL_CLUSTERS)
                        && !needs.contains(Need.VERSION_3)
                        && random.nextInt(5) == 0);
        int bytes = extended
                ? 16 << 10
                : needs.contains(Need.PAGES) ? 4096 : needs.contains(Need.SMALL_CLUSTERS) ? 512 : sizes(random);
        int width = two || needs.contains(Need.COUNTS_16) || random.nextBoolean()
                ? 16
                : WIDTHS.get(random.nextInt(WIDTHS.size()));
        if (needs.contains(Need.SNAPSHOTS)) {
            width = Math.max(width, 2);
        }
        if (needs.contains(Need.COMPRESSION)) {
            width = Math.max(width, 16);
        }
        boolean backing = needs.contains(Need.BACKING)
                || needs.contains(Need.LONGER_BACKING)
                || (!needs.contains(Need.NO_BACKING) && random.nextInt(3) == 0);
        int clusters = bytes == 512 ? 150 : bytes == 4096 ? 40 : bytes == 16 << 10 ? 12 : 6;
        boolean longer = needs.contains(Need.LONGER_BACKING) || random.nextBoolean();
        long below = sizeBytes(clusters, bytes) + (longer ? 512L * (1 + random.nextInt(100)) : 0);
        return new ImageShape(
                two ? 2 : 3,
                bytes,
                width,
                extended,
                !two && random.nextInt(4) == 0,
                backing ? below : 0,
                clusters,
                false);
    }

    private static int sizes(Random random) {
        int ticket = random.nextInt(10);
        return ticket < 6 ? 512 : ticket < 9 ? 4096 : 65536;
    }

    /** The same as its header has it now: only for {@link #allows}. */
    ImageShape asIn(SparseBytes image) {
        ByteBuffer head = ByteBuffer.wrap(image.read(0, 104));
        int now = head.getInt(4);
        return new ImageShape(
                now,
                clusterBytes,
                now == 2 ? 16 : 1 << head.getInt(96),
                extendedL2,
                lazyRefcounts,
                head.getLong(8) != 0 ? Math.max(1, backingBytes) : backingBytes,
                clusters,
                now > 2 && (head.getLong(88) & 1) != 0);
    }

    /** Not a multiple of the cluster size. */
    long sizeBytes() {
        return sizeBytes(clusters, clusterBytes);
    }

    private static long sizeBytes(int clusters, int clusterBytes) {
        return (long) clusters * clusterBytes - 512;
    }

    private boolean backing() {
        return backingBytes > 0;
    }

    Map<String, String> options() {
        Map<String, String> options = new LinkedHashMap<>();
        options.put("compat", version == 2 ? "0.10" : "1.1");
        options.put("cluster_size", Integer.toString(clusterBytes));
        options.put("refcount_bits", Integer.toString(refcountBits));
        if (extendedL2) {
            options.put("extended_l2", "on");
        }
        if (lazyRefcounts) {
            options.put("lazy_refcounts", "on");
        }
        if (backing()) {
            options.put("backing_file", BACKING_NAME);
            options.put("backing_fmt", "raw");
        }
        return options;
    }

    /** What the backing file holds: bytes that say of which sector of the guest they are, as {@link ImageMachine} writes them. */
    SparseBytes backingContent() {
        SparseBytes content = new SparseBytes();
        if (backing()) {
            byte[] bytes = new byte[(int) backingBytes];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) (i % 4 == 0 ? 201 : i % 4 == 1 ? 7 : i / 512 + 201);
            }
            content.write(0, bytes, 0, bytes.length);
        }
        return content;
    }

    ByteModel model() {
        SparseBytes content = backingContent();
        content.setLengthBytes(sizeBytes());
        return new ByteModel(content);
    }

    MemoryFile create(BlockDriver driver) throws BlockException {
        MemoryFile file = MemoryFile.empty("disk");
        Map<String, String> all = options();
        all.put("size", Long.toString(sizeBytes()));
        MemoryProtocol protocol = new MemoryProtocol(file);
        DirectFormat.create(driver, protocol, all);
        protocol.close();
        return file;
    }

    DirectFormat open(BlockDriver driver, ProtocolInstance protocol, Flag... flags) throws BlockException {
        MemorySegment nameOffset = MemorySegment.ofArray(new byte[8]);
        protocol.metadata().read(8, nameOffset);
        boolean named = nameOffset.mismatch(MemorySegment.ofArray(new byte[8])) >= 0;
        return DirectFormat.open(driver, protocol, named ? backingContent() : new SparseBytes(), flags);
    }

    /** Whether the image can do a step: what it can't express or count is for tests of their own. */
    boolean allows(Operation.Kind kind, ByteModel model) {
        int most = refcountBits >= 8 ? 3 : refcountBits == 1 ? 0 : 1;
        return switch (kind) {
            case SNAPSHOT_CREATE -> model.snapshots().size() < most;
            case WRITE_COMPRESSED -> refcountBits >= 16;
            case SHRINK -> !bitmaps;
            case GROW, GROW_PREALLOCATED ->
                !bitmaps && (version == 3 || model.snapshots().isEmpty());
            // version 2 has no word for zeros over a backing file
            case DISCARD -> version == 3 || !backing();
            default -> true;
        };
    }
}
