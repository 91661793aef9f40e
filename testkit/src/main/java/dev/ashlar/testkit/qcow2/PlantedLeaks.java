package dev.ashlar.testkit.qcow2;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Makes clusters of an image in order leak: they are counted once, and nothing refers to them. */
public final class PlantedLeaks {
    private static final long OFFSET_MASK = 0x00ff_ffff_ffff_fe00L;
    /** How far behind the end of the file a cluster may leak; the file then reaches there. */
    private static final int CLUSTERS_BEHIND = 5;

    private PlantedLeaks() {}

    /** A cluster whose refcount is zero, and where it stands. */
    private record Free(long cluster, long blockOffset, int index) {}

    /**
     * Counts some clusters that nothing refers to.
     *
     * @return how many: 0 where no refcount block has room, else up to {@code most}
     */
    public static int plant(Path image, Random random, int most) throws IOException {
        try (Qcow2File file = Qcow2File.readWrite(image)) {
            List<Free> free = free(file);
            int count = Math.min(free.size(), 1 + random.nextInt(most));
            for (int i = 0; i < count; i++) {
                Free chosen = free.remove(random.nextInt(free.size()));
                setToOne(file, chosen);
                long end = (chosen.cluster + 1) * file.clusterBytes();
                if (file.fileBytes() < end) {
                    file.write(end - 1, new byte[1]);
                }
            }
            return count;
        }
    }

    private static List<Free> free(Qcow2File file) throws IOException {
        int clusterBytes = file.clusterBytes();
        int bits = file.refcountBits();
        long perBlock = clusterBytes * 8L / bits;
        long end = Math.ceilDiv(file.fileBytes(), (long) clusterBytes) + CLUSTERS_BEHIND;
        long tableEntries = (long) file.refcountTableClusters() * clusterBytes / Long.BYTES;
        List<Free> result = new ArrayList<>();
        for (long i = 0; i < tableEntries && i * perBlock < end; i++) {
            long block = file.readLong(file.refcountTableOffset() + i * Long.BYTES) & OFFSET_MASK;
            if (block == 0) {
                continue;
            }
            byte[] counts = file.read(block, clusterBytes).array();
            for (int k = 0; k < perBlock && i * perBlock + k < end; k++) {
                if (isZero(counts, k, bits)) {
                    result.add(new Free(i * perBlock + k, block, k));
                }
            }
        }
        return result;
    }

    /** Counts of less than a byte begin at its lowest bits, longer ones are big-endian. */
    private static boolean isZero(byte[] counts, int index, int bits) {
        if (bits < 8) {
            int shift = index * bits % 8;
            return (counts[index * bits / 8] >> shift & (1 << bits) - 1) == 0;
        }
        for (int i = 0; i < bits / 8; i++) {
            if (counts[index * (bits / 8) + i] != 0) {
                return false;
            }
        }
        return true;
    }

    private static void setToOne(Qcow2File file, Free free) throws IOException {
        int bits = file.refcountBits();
        if (bits < 8) {
            long at = free.blockOffset + (long) free.index * bits / 8;
            int old = file.read(at, 1).get();
            file.write(at, new byte[] {(byte) (old | 1 << free.index * bits % 8)});
        } else {
            file.write(free.blockOffset + (free.index + 1L) * (bits / 8) - 1, new byte[] {1});
        }
    }
}
