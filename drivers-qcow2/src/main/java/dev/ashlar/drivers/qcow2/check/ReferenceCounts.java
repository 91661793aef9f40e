package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How often each host cluster is really referred to: a byte each, in stripes that exist once something refers to them; counts from 255 on stand in a map beside. So
 * memory is bounded by the file's size and by what is in it: references behind its end are told of and not counted. Any thread may count.
 */
final class ReferenceCounts {
    static final int STRIPE_BITS = 16;
    static final int STRIPE_CLUSTERS = 1 << STRIPE_BITS;

    private static final VarHandle WORDS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());
    private static final byte[] NONE = new byte[STRIPE_CLUSTERS];
    /** From this length on a run is looked at as a whole first. */
    private static final int LONG_RUN = 64;

    private static final long ONES = 0x0101_0101_0101_0101L;
    private static final long HIGHS = 0x8080_8080_8080_8080L;
    /** A byte that says: the count stands in the map. */
    private static final int IN_MAP = 255;
    /** Clusters behind the end of which it is remembered that something refers to them. */
    private static final int REMEMBERED_BEHIND_END = 1 << 24;

    private final ClusterGeometry geometry;
    private final long fileBytes;
    private final long fileClusters;
    /** Unsigned. */
    private final long maximum;

    private final Stripe[] stripes;
    private final BitSet behindEnd = new BitSet();
    private boolean farBehindEnd;
    private volatile long clusters;
    private volatile boolean shared;

    /** @param fileBytes length of the image file */
    ReferenceCounts(ClusterGeometry geometry, long fileBytes) throws BlockException {
        this.geometry = geometry;
        this.fileBytes = fileBytes;
        this.fileClusters = geometry.clustersFor(fileBytes);
        if (fileClusters > Integer.MAX_VALUE) {
            throw new BlockException(
                    Kind.TOO_LARGE, "Image file has " + fileClusters + " clusters", "File too large", null);
        }
        this.maximum = geometry.maxRefcount();
        this.clusters = fileClusters;
        this.stripes = new Stripe[(int) ((fileClusters + 1) >>> STRIPE_BITS) + 1];
        for (int i = 0; i < stripes.length; i++) {
            stripes[i] = new Stripe();
        }
    }

    /** Clusters of the file, and the one behind it if something begins in the file and ends there. */
    long clusters() {
        return clusters;
    }

    long fileClusters() {
        return fileClusters;
    }

    /** Whether some cluster is referred to more than once. */
    boolean someShared() {
        return shared;
    }

    /** Whether the last byte lies so far behind the end of the file that not even a last, partial cluster explains it. */
    boolean isBehindEnd(long hostOffset, long lengthBytes) {
        long end = hostOffset + lengthBytes;
        return hostOffset < 0 || end < 0 || end - fileBytes >= geometry.clusterBytes();
    }

    /** Counts one reference to each cluster that the bytes touch; what can't be counted is a finding. */
    void count(long hostOffset, long lengthBytes, Findings findings) {
        if (lengthBytes <= 0) {
            return;
        }
        if (isBehindEnd(hostOffset, lengthBytes)) {
            findings.corruption(
                    "ERROR: counting reference for region exceeding the end of the file by one cluster or more: offset"
                            + " 0x" + Long.toHexString(hostOffset) + " size 0x" + Long.toHexString(lengthBytes));
            rememberBehindEnd(hostOffset, lengthBytes);
            return;
        }
        long last = geometry.clusterIndex(hostOffset + lengthBytes - 1);
        for (long cluster = geometry.clusterIndex(hostOffset); cluster <= last; ) {
            int from = (int) cluster & (STRIPE_CLUSTERS - 1);
            int to = (int) Math.min(STRIPE_CLUSTERS, from + (last - cluster) + 1);
            stripes[(int) (cluster >>> STRIPE_BITS)].add(from, to, cluster - from, findings);
            cluster += to - from;
        }
        if (last >= clusters) {
            clusters = fileClusters + 1;
        }
    }

    private synchronized void rememberBehindEnd(long hostOffset, long lengthBytes) {
        long from = Math.max(geometry.clusterIndex(hostOffset) - fileClusters, 0);
        farBehindEnd |= hostOffset < 0
                || geometry.clusterIndex(hostOffset + lengthBytes - 1) - fileClusters >= REMEMBERED_BEHIND_END;
        long to =
                Math.min(geometry.clusterIndex(hostOffset + lengthBytes - 1) - fileClusters + 1, REMEMBERED_BEHIND_END);
        if (hostOffset >= 0 && from < to) {
            behindEnd.set((int) from, (int) to);
        }
    }

    /**
     * The first cluster from {@code cluster} on, behind the end of the file, that nothing is known to refer to. So far behind it that nothing is remembered any cluster
     * may have been referred to, if one was.
     */
    synchronized long firstFreeBehindEnd(long cluster) {
        long relative = cluster - fileClusters;
        if (relative >= REMEMBERED_BEHIND_END) {
            return farBehindEnd ? cluster + 1 : cluster;
        }
        return fileClusters + behindEnd.nextClearBit((int) relative);
    }

    long get(long cluster) {
        int stripe = (int) (cluster >>> STRIPE_BITS);
        return cluster >= 0 && cluster < clusters ? stripes[stripe].get((int) cluster & (STRIPE_CLUSTERS - 1)) : 0;
    }

    /** The counts of a stripe as bytes, or null: some are larger, or none is there. */
    byte @Nullable [] bytes(int stripe) {
        Stripe counts = stripes[stripe];
        return counts.large == null ? counts.small : null;
    }

    /** Whether nothing at all refers to a stripe. */
    boolean isEmpty(int stripe) {
        return stripes[stripe].small == null;
    }

    int stripes() {
        return (int) ((clusters + STRIPE_CLUSTERS - 1) >>> STRIPE_BITS);
    }

    private final class Stripe {
        private volatile byte @Nullable [] small;
        private volatile @Nullable Map<Integer, Long> large;

        synchronized void add(int from, int to, long firstCluster, Findings findings) {
            byte[] counts = small;
            if (counts == null) {
                counts = new byte[STRIPE_CLUSTERS];
                small = counts;
            }
            if (to - from >= LONG_RUN && Arrays.equals(counts, from, to, NONE, 0, to - from)) {
                Arrays.fill(counts, from, to, (byte) 1);
                return;
            }
            int i = from;
            for (; i < to && (i & 7) != 0; i++) {
                addOne(counts, i, firstCluster, findings);
            }
            long seen = 0;
            for (; i + 8 <= to; i += 8) {
                long word = (long) WORDS.get(counts, i);
                if ((word & HIGHS) != 0 || Long.compareUnsigned(maximum, IN_MAP) < 0) {
                    for (int j = i; j < i + 8; j++) {
                        addOne(counts, j, firstCluster, findings);
                    }
                } else {
                    seen |= word;
                    WORDS.set(counts, i, word + ONES);
                }
            }
            if (seen != 0) {
                shared = true;
            }
            for (; i < to; i++) {
                addOne(counts, i, firstCluster, findings);
            }
        }

        private void addOne(byte[] counts, int index, long firstCluster, Findings findings) {
            int count = counts[index] & 0xff;
            if (count > 0) {
                shared = true;
            }
            long exact = count == IN_MAP ? large().getOrDefault(index, (long) IN_MAP) : count;
            if (Long.compareUnsigned(exact, maximum) >= 0) {
                findings.corruption("ERROR: overflow cluster offset=0x"
                        + Long.toHexString(geometry.clusterOffset(firstCluster + index)));
                findings.say("Use qemu-img amend to increase the refcount entry width or qemu-img convert to create a"
                        + " clean copy if the image cannot be opened for writing");
            } else if (exact + 1 >= IN_MAP) {
                large().put(index, exact + 1);
                counts[index] = (byte) IN_MAP;
            } else {
                counts[index] = (byte) (exact + 1);
            }
        }

        private Map<Integer, Long> large() {
            Map<Integer, Long> map = large;
            if (map == null) {
                map = new HashMap<>();
                large = map;
            }
            return map;
        }

        synchronized long get(int index) {
            byte[] counts = small;
            if (counts == null) {
                return 0;
            }
            int count = counts[index] & 0xff;
            return count == IN_MAP ? large().getOrDefault(index, (long) IN_MAP) : count;
        }
    }

    /** Whether every one of a run of clusters of the file has exactly one reference. */
    boolean allOne(long firstCluster, int count) {
        if (firstCluster + count > clusters) {
            return false;
        }
        byte[] ones = null;
        for (int done = 0; done < count; ) {
            long cluster = firstCluster + done;
            int from = (int) cluster & (STRIPE_CLUSTERS - 1);
            int take = Math.min(count - done, STRIPE_CLUSTERS - from);
            byte[] counts = stripes[(int) (cluster >>> STRIPE_BITS)].small;
            if (counts == null) {
                return false;
            }
            if (take == 1) {
                if (counts[from] != 1) {
                    return false;
                }
            } else {
                if (ones == null) {
                    ones = new byte[count];
                    Arrays.fill(ones, (byte) 1);
                }
                if (!Arrays.equals(counts, from, from + take, ones, 0, take)) {
                    return false;
                }
            }
            done += take;
        }
        return true;
    }
}
