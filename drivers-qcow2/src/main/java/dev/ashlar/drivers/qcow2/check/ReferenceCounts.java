package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;

/** How often each host cluster is really referred to. Memory is bounded by the file's size: references behind its end are refused. */
final class ReferenceCounts {
    /** 16 TiB of 64 KiB clusters; takes 1 GiB of heap. */
    private static final long MAX_CLUSTERS = 1L << 28;

    private final ClusterGeometry geometry;
    private final int[] counts;
    private boolean behindEnd;

    /** @param fileBytes length of the image file */
    ReferenceCounts(ClusterGeometry geometry, long fileBytes) throws BlockException {
        this.geometry = geometry;
        long clusters = geometry.clustersFor(fileBytes);
        if (clusters > MAX_CLUSTERS) {
            throw new BlockException(
                    Kind.TOO_LARGE, "Image file has " + clusters + " clusters; a check takes at most " + MAX_CLUSTERS);
        }
        this.counts = new int[(int) clusters];
    }

    int clusters() {
        return counts.length;
    }

    /** Whether something refers to clusters behind the end of the file: which, nobody has counted. */
    boolean reachBehindEnd() {
        return behindEnd;
    }

    /** @return false, and counts nothing, if the bytes reach behind the last cluster of the file */
    boolean add(long hostOffset, long lengthBytes) {
        if (lengthBytes == 0) {
            return true;
        }
        long first = geometry.clusterIndex(hostOffset);
        long last = geometry.clusterIndex(hostOffset + lengthBytes - 1);
        if (hostOffset < 0 || last < first || last >= counts.length) {
            behindEnd = true;
            return false;
        }
        for (long i = first; i <= last; i++) {
            counts[(int) i]++;
        }
        return true;
    }

    int get(long cluster) {
        return cluster < counts.length ? counts[(int) cluster] : 0;
    }
}
