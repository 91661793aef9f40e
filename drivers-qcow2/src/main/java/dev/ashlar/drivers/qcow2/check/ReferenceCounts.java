package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.drivers.qcow2.format.ClusterGeometry;

/** How often each host cluster is really referred to. Memory is bounded by the file's size: references behind its end are refused. */
final class ReferenceCounts {
    private final ClusterGeometry geometry;
    private final int[] counts;

    /** @param fileBytes length of the image file */
    ReferenceCounts(ClusterGeometry geometry, long fileBytes) {
        this.geometry = geometry;
        this.counts = new int[Math.toIntExact(geometry.clustersFor(fileBytes))];
    }

    int clusters() {
        return counts.length;
    }

    /** @return false, and counts nothing, if the bytes reach behind the last cluster of the file */
    boolean add(long hostOffset, long lengthBytes) {
        if (lengthBytes == 0) {
            return true;
        }
        long first = geometry.clusterIndex(hostOffset);
        long last = geometry.clusterIndex(hostOffset + lengthBytes - 1);
        if (hostOffset < 0 || last < first || last >= counts.length) {
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
