package dev.ashlar.drivers.qcow2.snapshot;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator;
import dev.ashlar.drivers.qcow2.alloc.Discard;
import dev.ashlar.drivers.qcow2.alloc.Quarantine;
import dev.ashlar.drivers.qcow2.alloc.RefcountTable;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Counts or uncounts everything that one L1 table reaches: its L2 tables and the clusters these name. Works in runs of contiguous host clusters, which
 * refcounts take many at a time. The caller holds both locks, nothing is in quarantine, and all tables are on disk.
 */
final class References {
    private final ClusterGeometry geometry;
    private final L2Layout layout;
    private final RefcountTable refcounts;
    private final ClusterAllocator allocator;
    private final L1Table table;
    private final int delta;
    /** Why references are given up. */
    private final Discard reason;

    private final @Nullable Quarantine uncounted;
    private long runFirst;
    private long runCount;

    private References(
            MetadataContext context, L1Table table, int delta, Discard reason, @Nullable Quarantine uncounted) {
        this.geometry = context.geometry();
        this.layout = context.layout();
        this.refcounts = context.refcounts();
        this.allocator = context.allocator();
        this.table = table;
        this.delta = delta;
        this.reason = reason;
        this.uncounted = uncounted;
    }

    /** Adds one reference to an L2 table and to all it names; when one count would overflow, to none. */
    static void addTable(MetadataContext context, L1Table table, int l1Index) throws BlockException {
        new References(context, table, 1, Discard.SNAPSHOT, null).table(l1Index);
    }

    /** Takes one reference from an L2 table and from all it names. What was uncounted is collected. */
    static void removeTable(MetadataContext context, L1Table table, int l1Index, Quarantine uncounted)
            throws BlockException {
        new References(context, table, -1, Discard.SNAPSHOT, uncounted).table(l1Index);
    }

    /** Adds one reference to all; when one count would overflow, to none. */
    static void add(MetadataContext context, L1Table table) throws BlockException {
        References references = new References(context, table, 1, Discard.SNAPSHOT, null);
        int done = 0;
        try {
            for (; done < table.length(); done++) {
                references.table(done);
            }
        } catch (BlockException e) {
            References undo = new References(context, table, -1, Discard.SNAPSHOT, null);
            for (int i = 0; i < done; i++) {
                undo.table(i);
            }
            throw e;
        }
    }

    /** Takes one reference from all. The table that held them is durably gone. What was uncounted is collected. */
    static void remove(MetadataContext context, L1Table table, Discard reason, Quarantine uncounted)
            throws BlockException {
        References references = new References(context, table, -1, reason, uncounted);
        for (int i = 0; i < table.length(); i++) {
            references.table(i);
        }
    }

    /** One L2 table and what it names: all counted, or, with an exception, none. */
    private void table(int l1Index) throws BlockException {
        MemorySegment words = table.l2View(l1Index);
        if (words == null) {
            return;
        }
        int done = 0;
        try {
            for (; done < geometry.l2Entries(); done++) {
                word(layout.word(words, done));
            }
            end();
            apply(geometry.clusterIndex(table.l2Offset(l1Index)), 1);
        } catch (BlockException e) {
            // the run that failed was not applied; what was applied before it is taken back
            if (delta > 0) {
                undo(words, done);
            }
            throw e;
        }
    }

    private void undo(MemorySegment words, int done) throws BlockException {
        long skipped = runCount;
        runCount = 0;
        long applied = 0;
        for (int i = 0; i < done; i++) {
            applied += clusters(layout.word(words, i));
        }
        applied -= skipped;
        for (int i = 0; i < done && applied > 0; i++) {
            long word = layout.word(words, i);
            long count = Math.min(clusters(word), applied);
            if (count > 0) {
                refcounts.add(firstCluster(word), count, -1);
                applied -= count;
            }
        }
    }

    /** Clusters of this file that a word refers to. Those of an external data file are not counted. */
    private long clusters(long word) {
        if (layout.externalData()) {
            return 0;
        }
        if (TableEntry.isCompressed(word)) {
            long offset = TableEntry.compressedOffset(word, geometry);
            long last = offset + TableEntry.compressedBytes(word, geometry) - 1;
            return geometry.clusterIndex(last) - geometry.clusterIndex(offset) + 1;
        }
        return layout.namesCluster(word) ? 1 : 0;
    }

    private long firstCluster(long word) {
        return geometry.clusterIndex(
                TableEntry.isCompressed(word) ? TableEntry.compressedOffset(word, geometry) : TableEntry.offset(word));
    }

    private void word(long word) throws BlockException {
        if (word == 0) {
            return;
        }
        long count = clusters(word);
        if (count == 0) {
            return;
        }
        long first = firstCluster(word);
        if (runCount > 0 && first == runFirst + runCount) {
            runCount += count;
        } else {
            end();
            runFirst = first;
            runCount = count;
        }
    }

    private void end() throws BlockException {
        if (runCount > 0) {
            apply(runFirst, runCount);
            runCount = 0;
        }
    }

    private void apply(long first, long count) throws BlockException {
        if (delta > 0) {
            refcounts.add(first, count, 1);
        } else {
            allocator.release(first, count);
            if (uncounted != null) {
                uncounted.add(first, count, reason);
            }
        }
    }
}
