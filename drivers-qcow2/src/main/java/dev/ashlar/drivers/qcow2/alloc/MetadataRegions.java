package dev.ashlar.drivers.qcow2.alloc;

import java.util.Arrays;

/**
 * Host clusters that hold metadata, as known from the references, whatever their refcounts say. Immutable: sorted runs of regions, each much longer than the next, so
 * that one more region costs a copy of few, and a look-up a few searches.
 */
public final class MetadataRegions {
    /** As many in the last run. */
    private static final int MAX_LAST = 64;
    /** Each run has more regions than so many times the next one. */
    private static final int FACTOR = 8;

    private final Run[] runs;

    private MetadataRegions(Run[] runs) {
        this.runs = runs;
    }

    /** Clusters {@code [first, end)} of each region: sorted, apart from each other. */
    private record Run(long[] first, long[] end) {
        int size() {
            return first.length;
        }

        boolean overlaps(long from, long to) {
            int at = Arrays.binarySearch(first, to - 1);
            int last = at >= 0 ? at : -at - 2;
            return last >= 0 && end[last] > from;
        }

        /** The regions of both. */
        Run merge(Run other) {
            long[] mergedFirst = new long[size() + other.size()];
            long[] mergedEnd = new long[mergedFirst.length];
            int kept = 0;
            for (int i = 0, j = 0; i < size() || j < other.size(); ) {
                boolean own = j == other.size() || (i < size() && first[i] <= other.first[j]);
                long from = own ? first[i] : other.first[j];
                long to = own ? end[i++] : other.end[j++];
                if (kept > 0 && from <= mergedEnd[kept - 1]) {
                    mergedEnd[kept - 1] = Math.max(mergedEnd[kept - 1], to);
                } else {
                    mergedFirst[kept] = from;
                    mergedEnd[kept++] = to;
                }
            }
            return kept == mergedFirst.length
                    ? new Run(mergedFirst, mergedEnd)
                    : new Run(Arrays.copyOf(mergedFirst, kept), Arrays.copyOf(mergedEnd, kept));
        }
    }

    /** Whether one of {@code count} clusters from {@code firstCluster} on holds metadata. */
    boolean overlaps(long firstCluster, long count) {
        for (Run run : runs) {
            if (run.overlaps(firstCluster, firstCluster + count)) {
                return true;
            }
        }
        return false;
    }

    /** These and more. */
    MetadataRegions with(long firstCluster, long count) {
        Run more = new Run(new long[] {firstCluster}, new long[] {firstCluster + count});
        int kept = runs.length;
        if (kept > 0 && runs[kept - 1].size() < MAX_LAST) {
            more = runs[--kept].merge(more);
        }
        if (more.size() == MAX_LAST) {
            while (kept > 0 && runs[kept - 1].size() <= FACTOR * more.size()) {
                more = runs[--kept].merge(more);
            }
        }
        Run[] all = Arrays.copyOf(runs, kept + 1);
        all[kept] = more;
        return new MetadataRegions(all);
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
            return new MetadataRegions(new Run[] {new Run(Arrays.copyOf(first, kept), Arrays.copyOf(end, kept))});
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
