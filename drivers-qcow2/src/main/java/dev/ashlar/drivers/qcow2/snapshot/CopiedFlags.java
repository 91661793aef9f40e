package dev.ashlar.drivers.qcow2.snapshot;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.alloc.MetadataClass;
import dev.ashlar.drivers.qcow2.alloc.RefcountTable;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The COPIED flags of a layer: cleared wherever they stand before a second reference exists, set again where a count has durably fallen to 1 (rule R6). Words
 * are changed in place: a torn write leaves some flags as they were, which is harmless in either direction of these changes.
 */
final class CopiedFlags {
    private CopiedFlags() {}

    /** Clears the flags in all L2 tables that the L1 table names. The writes are durable after the caller's next flush. */
    static void clearInL2(MetadataContext context, L1Table table) throws BlockException {
        ImageFile file = context.file();
        ClusterGeometry geometry = file.geometry();
        L2Layout layout = file.layout();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(geometry.clusterBytes(), 4096);
            for (int i = 0; i < table.length(); i++) {
                MemorySegment words = table.l2View(i);
                if (words != null && anyCopied(file.layout(), words)) {
                    MemorySegment.copy(words, 0, copy, 0, geometry.clusterBytes());
                    for (int j = 0; j < geometry.l2Entries(); j++) {
                        layout.putWord(copy, j, layout.word(copy, j) & ~TableEntry.COPIED);
                    }
                    write(context, table.l2Offset(i), copy);
                }
            }
        }
    }

    private static boolean anyCopied(L2Layout layout, MemorySegment words) {
        long any = 0;
        int count = layout.geometry().l2Entries();
        for (int i = 0; i < count; i++) {
            any |= layout.word(words, i);
        }
        return TableEntry.isCopied(any);
    }

    /** Clears the flags in a table's own entries, in memory. */
    static void clearInL1(long[] entries) {
        for (int i = 0; i < entries.length; i++) {
            entries[i] &= ~TableEntry.COPIED;
        }
    }

    /** Sets the flags of the live disk where a cluster has one reference. All counts are durable. */
    static void restore(MetadataContext context) throws BlockException {
        assert context.file().isSettled() : "R6: counts that fell to 1 are not durable";
        ClusterGeometry geometry = context.geometry();
        RefcountTable refcounts = context.refcounts();
        L1Table active = context.active();
        for (int i = 0; i < active.length(); i++) {
            long l2Offset = active.l2Offset(i);
            if (l2Offset == 0 || refcounts.get(geometry.clusterIndex(l2Offset)) != 1) {
                continue;
            }
            if (!active.ownsL2(i)) {
                active.putEntry(i, active.entry(i) | TableEntry.COPIED);
            }
            restoreTable(context, active, i);
        }
    }

    private static void restoreTable(MetadataContext context, L1Table active, int l1Index) throws BlockException {
        ClusterGeometry geometry = context.geometry();
        L2Layout layout = context.layout();
        MemorySegment words = active.l2View(l1Index);
        MemorySegment copy = null;
        for (int j = 0; words != null && j < geometry.l2Entries(); j++) {
            long word = layout.word(words, j);
            if (TableEntry.isCopied(word)
                    || !layout.namesCluster(word)
                    || context.refcounts().get(geometry.clusterIndex(TableEntry.offset(word))) != 1) {
                continue;
            }
            if (copy == null) {
                copy = MemorySegment.ofArray(words.toArray(java.lang.foreign.ValueLayout.JAVA_BYTE));
            }
            layout.putWord(copy, j, word | TableEntry.COPIED);
        }
        if (copy != null) {
            write(context, active.l2Offset(l1Index), copy);
        }
    }

    /** Not over other metadata that an L1 entry may name as an L2 table. */
    private static void write(MetadataContext context, long l2Offset, MemorySegment table) throws BlockException {
        context.overlaps().requireFree(l2Offset, table.byteSize(), MetadataClass.ACTIVE_L2);
        context.file().write(l2Offset, table);
    }
}
