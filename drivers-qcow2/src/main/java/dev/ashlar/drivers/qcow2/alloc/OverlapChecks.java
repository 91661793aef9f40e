package dev.ashlar.drivers.qcow2.alloc;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.metadata.CorruptionSignal;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Nothing is written over metadata, whatever refcounts and tables say: before a write its range is looked up among all that is known to be metadata of another
 * kind. A hit marks the image corrupt, durably (rule R10), and ends its use. Changes are guarded by the image's metadata lock; {@link #isKnownFree} needs none.
 */
public final class OverlapChecks {
    private static final MetadataClass[] CLASSES = MetadataClass.values();

    private final ClusterGeometry geometry;
    private final CorruptionSignal signal;
    private final MetadataRegions.Source source;
    private volatile int classes = OverlapTemplate.DEFAULT;
    /** By {@link MetadataClass#ordinal}, and all together behind them; looked up when first needed. Metadata that was given up may still be among them. */
    private volatile MetadataRegions @Nullable [] regions;
    /** Some of {@link #regions} were given up: a hit there says nothing before they are looked up anew. */
    private boolean outdated;

    /** @param source tells of all metadata but the header */
    public OverlapChecks(ClusterGeometry geometry, CorruptionSignal signal, MetadataRegions.Source source) {
        this.geometry = geometry;
        this.signal = signal;
        this.source = source;
    }

    /** @param selected bits of {@link MetadataClass}, as {@link OverlapTemplate#parse} gives them */
    public void select(int selected) {
        classes = selected;
        regions = null;
    }

    /**
     * @param own the kind of metadata that is written, which may lie where such lies; null for guest data and for what nothing refers to yet
     * @throws BlockException CORRUPT: the range holds metadata, the image is marked
     */
    public void requireFree(long hostOffset, long lengthBytes, @Nullable MetadataClass own) throws BlockException {
        String hit = hit(hostOffset, lengthBytes, own);
        if (hit != null) {
            throw signal.fatal(hit);
        }
    }

    /**
     * As {@link #requireFree}, for a check, which leaves as it is what lies over other metadata and goes on: the image is marked, and stays in use.
     *
     * @param findings is told of the mark
     */
    public boolean isFreeToMend(long hostOffset, long lengthBytes, MetadataClass own, Consumer<String> findings)
            throws BlockException {
        String hit = hit(hostOffset, lengthBytes, own);
        if (hit != null) {
            signal.mark(findings, hit);
        }
        return hit == null;
    }

    private @Nullable String hit(long hostOffset, long lengthBytes, @Nullable MetadataClass own) {
        long first = geometry.clusterIndex(hostOffset);
        long count = geometry.clusterIndex(hostOffset + lengthBytes - 1) - first + 1;
        MetadataClass met = met(known(), first, count, own);
        if (met != null && outdated) {
            met = met(lookUp(), first, count, own);
        }
        return met == null ? null : "Preventing invalid write on metadata (overlaps with " + met.title() + ")";
    }

    private static @Nullable MetadataClass met(
            MetadataRegions[] known, long first, long count, @Nullable MetadataClass own) {
        if (own == null && !known[CLASSES.length].overlaps(first, count)) {
            return null;
        }
        for (MetadataClass metadata : CLASSES) {
            if (!mayShare(own, metadata) && known[metadata.ordinal()].overlaps(first, count)) {
                return metadata;
            }
        }
        return null;
    }

    /** Whether metadata refers to a cluster, which is no damage yet. */
    boolean holdsMetadata(long cluster) {
        return known()[CLASSES.length].overlaps(cluster, 1)
                && (!outdated || lookUp()[CLASSES.length].overlaps(cluster, 1));
    }

    private MetadataRegions[] known() {
        MetadataRegions[] known = regions;
        return known == null ? lookUp() : known;
    }

    private MetadataRegions[] lookUp() {
        MetadataRegions[] known = collect();
        regions = known;
        outdated = false;
        return known;
    }

    /** Snapshots and the live disk share L2 tables. */
    private static boolean mayShare(@Nullable MetadataClass own, MetadataClass other) {
        return own == other
                || (own == MetadataClass.ACTIVE_L2 && other == MetadataClass.INACTIVE_L2)
                || (own == MetadataClass.INACTIVE_L2 && other == MetadataClass.ACTIVE_L2);
    }

    private MetadataRegions[] collect() {
        MetadataRegions.Builder builder = new MetadataRegions.Builder(geometry.clusterBits(), classes);
        builder.add(MetadataClass.MAIN_HEADER, 0, geometry.clusterBytes());
        source.collect(builder);
        return builder.build();
    }

    /** Whether it is known, without a lock, that guest data may be written to a range. False decides nothing. */
    boolean isKnownFree(long hostOffset, long lengthBytes) {
        MetadataRegions[] known = regions;
        long first = geometry.clusterIndex(hostOffset);
        return known != null
                && !known[CLASSES.length].overlaps(
                        first, geometry.clusterIndex(hostOffset + lengthBytes - 1) - first + 1);
    }

    /** Clusters hold metadata from now on. */
    public void add(MetadataClass metadata, long firstCluster, long count) {
        MetadataRegions[] known = regions;
        if (known != null && (classes & metadata.bit()) != 0) {
            MetadataRegions[] more = known.clone();
            more[metadata.ordinal()] = known[metadata.ordinal()].with(firstCluster, count);
            more[CLASSES.length] = known[CLASSES.length].with(firstCluster, count);
            regions = more;
        }
    }

    /** Clusters may be free again: if they held metadata, all of it is looked up anew when somebody wants to write there. */
    void released(long firstCluster, long count) {
        MetadataRegions[] known = regions;
        if (known != null && !outdated && known[CLASSES.length].overlaps(firstCluster, count)) {
            outdated = true;
        }
    }

    /** Metadata was moved or changed behind this one's back. */
    public void forget() {
        regions = null;
    }
}
