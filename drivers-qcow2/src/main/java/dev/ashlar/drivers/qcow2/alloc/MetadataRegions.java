package dev.ashlar.drivers.qcow2.alloc;

import java.util.Arrays;

/** Host clusters that hold metadata, as known from the references, whatever their refcounts say. Immutable. */
public final class MetadataRegions {
    private final long[] first;
    private final long[] end;

    private MetadataRegions(long[] first, long[] end) {
        this.first = first;
        this.end = end;
    }

    /** Whether one of {@code count} clusters from {@code firstCluster} on holds metadata. */
    boolean overlaps(long firstCluster, long count) {
        int at = Arrays.binarySearch(first, firstCluster + count - 1);
        int last = at >= 0 ? at : -at - 2;
        return last >= 0 && end[last] > firstCluster;
    }

    /** Whoever knows where metadata lies. */
    public interface Source {
        void collect(Builder builder);
    }

    /** Collects regions in any order; they may overlap. */
    public static final class Builder {
        private final int clusterBits;
        private long[][] regions = new long[64][];
        private int size;

        Builder(int clusterBits) {
            this.clusterBits = clusterBits;
        }

        /** Ranges of no bytes, and such as can't be, count for nothing. */
        public void add(long hostOffset, long lengthBytes) {
            if (lengthBytes <= 0 || hostOffset < 0 || hostOffset > Long.MAX_VALUE - lengthBytes) {
                return;
            }
            if (size == regions.length) {
                regions = Arrays.copyOf(regions, 2 * size);
            }
            long from = hostOffset >>> clusterBits;
            long to = ((hostOffset + lengthBytes - 1) >>> clusterBits) + 1;
            if (size > 0 && regions[size - 1][1] == from) {
                regions[size - 1][1] = to;
            } else {
                regions[size++] = new long[] {from, to};
            }
        }

        MetadataRegions build() {
            long[][] sorted = Arrays.copyOf(regions, size);
            Arrays.sort(sorted, (a, b) -> Long.compare(a[0], b[0]));
            long[] first = new long[size];
            long[] end = new long[size];
            int kept = 0;
            for (long[] region : sorted) {
                if (kept > 0 && region[0] <= end[kept - 1]) {
                    end[kept - 1] = Math.max(end[kept - 1], region[1]);
                } else {
                    first[kept] = region[0];
                    end[kept++] = region[1];
                }
            }
            return new MetadataRegions(Arrays.copyOf(first, kept), Arrays.copyOf(end, kept));
        }
    }
}
