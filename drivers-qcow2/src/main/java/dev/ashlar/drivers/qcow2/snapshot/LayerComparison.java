package dev.ashlar.drivers.qcow2.snapshot;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.SnapshotComparable.RangeConsumer;
import dev.ashlar.core.spi.SnapshotComparable.Usage;
import dev.ashlar.drivers.qcow2.alloc.RefcountTable;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.SubclusterBitmap;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Compares layers by their tables, without reading data: layers that share an L2 table share all below it, and clusters that share a host cluster share their
 * content. The caller holds the metadata lock.
 */
public final class LayerComparison {
    private final ClusterGeometry geometry;
    private final L2Layout layout;
    private final RangeConsumer consumer;
    private long runStart = -1;
    private long runEnd;

    private LayerComparison(L2Layout layout, RangeConsumer consumer) {
        this.layout = layout;
        this.geometry = layout.geometry();
        this.consumer = consumer;
    }

    /** Hands out the ranges in which two layers may differ. */
    public static void difference(
            L2Layout layout, L1Table from, long fromBytes, L1Table to, long toBytes, RangeConsumer consumer)
            throws BlockException {
        LayerComparison comparison = new LayerComparison(layout, consumer);
        long common = Math.min(fromBytes, toBytes);
        // behind both L1 tables, which a size may claim to reach far beyond, nothing is allocated
        long tables = Math.min(layout.geometry().l1EntriesFor(common), Math.max(from.length(), to.length()));
        for (int i = 0; i < tables; i++) {
            comparison.compareTable(from, to, i, common);
        }
        comparison.different(common, Math.max(fromBytes, toBytes));
        comparison.end();
    }

    private void compareTable(L1Table from, L1Table to, int index, long limit) throws BlockException {
        if (from.sharesL2(to, index)) {
            return;
        }
        MemorySegment one = index < from.length() ? from.l2View(index) : null;
        MemorySegment other = index < to.length() ? to.l2View(index) : null;
        long base = geometry.l1EntryCoverageBytes() * index;
        for (int j = 0; j < geometry.l2Entries(); j++) {
            long at = base + (long) j * geometry.clusterBytes();
            if (at >= limit) {
                return;
            }
            compareCluster(
                    one == null ? 0 : layout.word(one, j) & ~TableEntry.COPIED,
                    one == null ? 0 : layout.bitmap(one, j),
                    other == null ? 0 : layout.word(other, j) & ~TableEntry.COPIED,
                    other == null ? 0 : layout.bitmap(other, j),
                    at,
                    limit);
        }
    }

    /** Sub-clusters are the same if both have the same state and, where they hold data, lie in the same cluster. */
    private void compareCluster(long word, long bitmap, long otherWord, long otherBitmap, long start, long limit) {
        if (word == otherWord && bitmap == otherBitmap) {
            return;
        }
        boolean elsewhere = word != otherWord;
        boolean compressed = TableEntry.isCompressed(word) || TableEntry.isCompressed(otherWord);
        for (int i = 0; i < geometry.subclusters(); i++) {
            boolean data = SubclusterBitmap.isAllocated(bitmap, i);
            boolean same = !(compressed || (data && elsewhere))
                    && data == SubclusterBitmap.isAllocated(otherBitmap, i)
                    && SubclusterBitmap.isZero(bitmap, i) == SubclusterBitmap.isZero(otherBitmap, i);
            if (!same) {
                long at = start + (long) i * geometry.subclusterBytes();
                different(at, Math.min(limit, at + geometry.subclusterBytes()));
            }
        }
    }

    private void different(long start, long end) {
        if (end <= start) {
            return;
        }
        if (start != runEnd || runStart < 0) {
            end();
            runStart = start;
        }
        runEnd = end;
    }

    private void end() {
        if (runStart >= 0) {
            consumer.range(runStart, runEnd - runStart);
        }
        runStart = -1;
    }

    /** Counts a layer's clusters, tables included, by whether anything else refers to them. */
    public static Usage usage(L2Layout layout, RefcountTable refcounts, L1Table table) throws BlockException {
        ClusterGeometry geometry = layout.geometry();
        long l1Bytes = geometry.clustersFor(8L * table.length()) * geometry.clusterBytes();
        long exclusive = l1Bytes;
        long shared = 0;
        for (int i = 0; i < table.length(); i++) {
            @Nullable MemorySegment words = table.l2View(i);
            if (words == null) {
                continue;
            }
            if (refcounts.get(geometry.clusterIndex(table.l2Offset(i))) == 1) {
                exclusive += geometry.clusterBytes();
            } else {
                shared += geometry.clusterBytes();
            }
            for (int j = 0; j < geometry.l2Entries(); j++) {
                long word = layout.word(words, j);
                boolean compressed = TableEntry.isCompressed(word);
                long host = compressed ? TableEntry.compressedOffset(word, geometry) : TableEntry.offset(word);
                if (!layout.refersToHost(word)) {
                    continue;
                }
                long bytes = compressed ? TableEntry.compressedBytes(word, geometry) : geometry.clusterBytes();
                // compressed clusters share host clusters with each other: the layer's L2 table tells for them
                boolean alone = layout.externalData()
                        || refcounts.get(geometry.clusterIndex(compressed ? table.l2Offset(i) : host)) == 1;
                if (alone) {
                    exclusive += bytes;
                } else {
                    shared += bytes;
                }
            }
        }
        return new Usage(exclusive, shared);
    }
}
