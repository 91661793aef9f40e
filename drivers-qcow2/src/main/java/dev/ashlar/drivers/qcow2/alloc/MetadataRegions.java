package dev.ashlar.drivers.qcow2.alloc;

import java.util.Arrays;

/**
 * Host clusters that hold metadata, as known from the references, whatever their refcounts say. Immutable: sorted regions, and a few that came later beside them, so
 * that one more does not cost a copy of all.
 */
public final class MetadataRegions {
    private static final MetadataRegions NONE = new MetadataRegions(new long[0], new long[0], new long[0]);
    private static final int MIN_LATER = 64;

    private final long[] first;
    private final long[] end;
    /** Single clusters, sorted. */
    private final long[] later;

    private MetadataRegions(long[] first, long[] end, long[] later) {
        this.first = first;
        this.end = end;
        this.later = later;
    }

    /** Whether one of {@code count} clusters from {@code firstCluster} on holds metadata. */
    boolean overlaps(long firstCluster, long count) {
        int at = Arrays.binarySearch(first, firstCluster + count - 1);
        int last = at >= 0 ? at : -at - 2;
        if (last >= 0 && end[last] > firstCluster) {
            return true;
        }
        int next = Arrays.binarySearch(later, firstCluster);
        return next >= 0 || (-next - 1 < later.length && later[-next - 1] < firstCluster + count);
    }

    /** These and more. */
    MetadataRegions with(long firstCluster, long count) {
        // each costs a copy of those that came later, and as many as that a copy of all
        int most = Math.max(MIN_LATER, (int) Math.sqrt(first.length));
        if (later.length + count > most) {
            Collected all = new Collected();
            for (int i = 0; i < first.length; i++) {
                all.add(first[i], end[i]);
            }
            for (long cluster : later) {
                all.add(cluster, cluster + 1);
            }
            all.add(firstCluster, firstCluster + count);
            return all.build();
        }
        long[] more = Arrays.copyOf(later, later.length + (int) count);
        for (int i = 0; i < count; i++) {
            more[later.length + i] = firstCluster + i;
        }
        Arrays.sort(more);
        return new MetadataRegions(first, end, more);
    }

    /** Whoever knows where metadata lies. */
    public interface Source {
        void collect(Builder builder);
    }

    /** Regions in any order. */
    private static final class Collected {
        private long[][] regions = new long[16][];
        private int size;

        void add(long from, long to) {
            if (size > 0 && regions[size - 1][1] == from) {
                regions[size - 1][1] = to;
                return;
            }
            if (size == regions.length) {
                regions = Arrays.copyOf(regions, 2 * size);
            }
            regions[size++] = new long[] {from, to};
        }

        MetadataRegions build() {
            if (size == 0) {
                return NONE;
            }
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
            return new MetadataRegions(Arrays.copyOf(first, kept), Arrays.copyOf(end, kept), new long[0]);
        }
    }

    /** Collects regions of all kinds in any order; they may overlap. */
    public static final class Builder {
        private final int clusterBits;
        private final int classes;
        private final Collected[] collected = new Collected[MetadataClass.values().length];

        /** @param classes bits of the kinds that are wanted */
        Builder(int clusterBits, int classes) {
            this.clusterBits = clusterBits;
            this.classes = classes;
            for (int i = 0; i < collected.length; i++) {
                collected[i] = new Collected();
            }
        }

        /** Whether this kind counts: what is dear to find need not be found otherwise. */
        public boolean wants(MetadataClass metadata) {
            return (classes & metadata.bit()) != 0;
        }

        /** Metadata of no kind with a name. */
        public void add(long hostOffset, long lengthBytes) {
            add(MetadataClass.OTHER, hostOffset, lengthBytes);
        }

        /** Ranges of no bytes, and such as can't be, count for nothing. */
        public void add(MetadataClass metadata, long hostOffset, long lengthBytes) {
            if (lengthBytes <= 0 || hostOffset < 0 || hostOffset > Long.MAX_VALUE - lengthBytes || !wants(metadata)) {
                return;
            }
            collected[metadata.ordinal()].add(
                    hostOffset >>> clusterBits, ((hostOffset + lengthBytes - 1) >>> clusterBits) + 1);
        }

        /** By {@link MetadataClass#ordinal}, and all together behind them. */
        MetadataRegions[] build() {
            MetadataRegions[] regions = new MetadataRegions[collected.length + 1];
            Collected all = new Collected();
            for (int i = 0; i < collected.length; i++) {
                regions[i] = collected[i].build();
                for (int j = 0; j < collected[i].size; j++) {
                    all.add(collected[i].regions[j][0], collected[i].regions[j][1]);
                }
            }
            regions[collected.length] = all.build();
            return regions;
        }
    }
}
