package dev.ashlar.drivers.qcow2.snapshot;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.SnapshotComparable.RangeConsumer;
import dev.ashlar.core.spi.SnapshotComparable.Usage;
import dev.ashlar.drivers.qcow2.alloc.RefcountTable;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
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
    private final RangeConsumer consumer;
    private long runStart = -1;
    private long runEnd;

    private LayerComparison(ClusterGeometry geometry, RangeConsumer consumer) {
        this.geometry = geometry;
        this.consumer = consumer;
    }

    /** Hands out the ranges in which two layers may differ. */
    public static void difference(
            ClusterGeometry geometry, L1Table from, long fromBytes, L1Table to, long toBytes, RangeConsumer consumer)
            throws BlockException {
        LayerComparison comparison = new LayerComparison(geometry, consumer);
        long common = Math.min(fromBytes, toBytes);
        long tables = geometry.l1EntriesFor(common);
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
            long before = one == null ? 0 : Bits.u64(one, 8L * j) & ~TableEntry.COPIED;
            long after = other == null ? 0 : Bits.u64(other, 8L * j) & ~TableEntry.COPIED;
            if (before != after && !(TableEntry.isZero(before) && TableEntry.isZero(after))) {
                different(at, Math.min(limit, at + geometry.clusterBytes()));
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
    public static Usage usage(ClusterGeometry geometry, RefcountTable refcounts, L1Table table) throws BlockException {
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
                long word = Bits.u64(words, 8L * j);
                boolean compressed = TableEntry.isCompressed(word);
                long host = compressed ? TableEntry.compressedOffset(word, geometry) : TableEntry.offset(word);
                if (host == 0) {
                    continue;
                }
                long bytes = compressed ? TableEntry.compressedBytes(word, geometry) : geometry.clusterBytes();
                // compressed clusters share host clusters with each other: the layer's L2 table tells for them
                boolean alone = refcounts.get(geometry.clusterIndex(compressed ? table.l2Offset(i) : host)) == 1;
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
