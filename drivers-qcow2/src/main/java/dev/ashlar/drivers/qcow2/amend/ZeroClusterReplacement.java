package dev.ashlar.drivers.qcow2.amend;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator.Run;
import dev.ashlar.drivers.qcow2.alloc.Discard;
import dev.ashlar.drivers.qcow2.alloc.MetadataClass;
import dev.ashlar.drivers.qcow2.alloc.Quarantine;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.metadata.WriteBack;
import dev.ashlar.drivers.qcow2.snapshot.ExclusiveMetadata;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Gives clusters that read as zeros the form that version 2 has for it, in the live disk and in all snapshots: not allocated, or where a backing file would show
 * then, allocated and filled with zeros. Tables are changed where they are, shared ones for all that share them; a word says the same before and after, so any
 * part of them may be on disk after a power cut.
 *
 * <pre>
 *   clusters of zeros, counted as often as the table is referred to     F    R1 R2 R3
 *   L2 words                                                            F    R4 R5
 *   what the words named before, uncounted as often                     F
 * </pre>
 *
 * A cluster that such an entry keeps for later may hold what another layer still reads; it is never written.
 */
final class ZeroClusterReplacement {
    private static final int MAX_PENDING_BYTES = 16 << 20;

    private final MetadataContext context;
    private final WriteBack writeBack;
    private final ClusterGeometry geometry;
    private final L2Layout layout;
    private final boolean hasBacking;
    private final List<ChangedTable> pending = new ArrayList<>();
    private final Quarantine unreferenced = new Quarantine();

    /** @param references how many layers name the table */
    private record ChangedTable(long hostOffset, MemorySegment words, int references, List<Long> given) {}

    /** @param hasBacking something is behind clusters that are not allocated */
    ZeroClusterReplacement(MetadataContext context, WriteBack writeBack, boolean hasBacking) {
        this.context = context;
        this.writeBack = writeBack;
        this.geometry = context.geometry();
        this.layout = context.layout();
        this.hasBacking = hasBacking;
    }

    /** Durable when it returns. @param tables of all layers, with standard entries */
    void run(LayerTables tables) throws BlockException {
        try (ExclusiveMetadata exclusive = new ExclusiveMetadata(context, writeBack);
                Arena arena = Arena.ofConfined()) {
            MemorySegment zeros = arena.allocate(Math.min(MAX_PENDING_BYTES, geometry.clusterBytes()), 4096);
            try {
                for (LayerTables.Table table : tables.distinct()) {
                    replaceIn(table, zeros);
                    if ((long) pending.size() * geometry.clusterBytes() >= MAX_PENDING_BYTES) {
                        putInForce(exclusive);
                    }
                }
                putInForce(exclusive);
            } catch (BlockException e) {
                giveBack();
                throw e;
            }
        }
        // none of its buffers knows the words that were changed on disk
        L1Table active = context.active();
        context.setActive(L1Table.of(context.file(), active.hostOffset(), active.copyOfEntries(active.length())));
    }

    private void replaceIn(LayerTables.Table table, MemorySegment zeros) throws BlockException {
        MemorySegment view = table.layer().l2View(table.l1Index());
        if (view == null || !LayerTables.anyZero(layout, view)) {
            return;
        }
        MemorySegment words = MemorySegment.ofArray(view.toArray(ValueLayout.JAVA_BYTE));
        ChangedTable changed =
                new ChangedTable(table.layer().l2Offset(table.l1Index()), words, table.references(), new ArrayList<>());
        pending.add(changed);
        boolean sole = table.references() == 1 && table.layer() == context.active();
        for (int i = 0; i < geometry.l2Entries(); i++) {
            long old = layout.word(words, i);
            if (!LayerTables.isZero(old)) {
                continue;
            }
            long fresh = hasBacking ? filledCluster(changed, zeros) | (sole ? TableEntry.COPIED : 0) : 0;
            layout.putWord(words, i, fresh);
            if (TableEntry.offset(old) != 0) {
                for (int j = 0; j < table.references(); j++) {
                    unreferenced.add(geometry.clusterIndex(TableEntry.offset(old)), 1, Discard.OTHER);
                }
            }
        }
    }

    /** @return host offset of a new cluster of zeros, with all its references counted */
    private long filledCluster(ChangedTable changed, MemorySegment zeros) throws BlockException {
        long cluster = context.allocator().allocateTable(1);
        try {
            for (int more = 1; more < changed.references(); more++) {
                context.refcounts().add(cluster, 1, 1);
            }
        } catch (BlockException e) {
            // counted too often for its width: nothing names it
            context.refcounts().set(cluster, 1);
            context.allocator().release(cluster, 1);
            throw e;
        }
        changed.given().add(cluster);
        for (long at = 0; at < geometry.clusterBytes(); at += zeros.byteSize()) {
            context.file().data().write(geometry.clusterOffset(cluster) + at, zeros);
        }
        return geometry.clusterOffset(cluster);
    }

    private void putInForce(ExclusiveMetadata exclusive) throws BlockException {
        if (pending.isEmpty()) {
            return;
        }
        exclusive.makeCountsDurable();
        for (ChangedTable table : pending) {
            context.overlaps().requireFree(table.hostOffset(), table.words().byteSize(), MetadataClass.ACTIVE_L2);
            context.file().write(table.hostOffset(), table.words());
        }
        context.file().flush();
        pending.clear();
        Map<Discard, List<Run>> gone = unreferenced.take();
        try {
            for (Run run : gone.getOrDefault(Discard.OTHER, List.of())) {
                context.allocator().release(run.firstCluster(), run.count());
            }
        } catch (BlockException e) {
            // memory and disk differ from here on
            context.file().fail(e);
            throw e;
        }
        exclusive.makeCountsDurable();
        writeBack.punchFree(gone);
    }

    /** What no table on disk names was not needed after all. */
    private void giveBack() throws BlockException {
        if (context.file().isFailed()) {
            return;
        }
        for (ChangedTable table : pending) {
            for (long cluster : table.given()) {
                for (int i = 0; i < table.references(); i++) {
                    context.allocator().release(cluster, 1);
                }
            }
        }
    }
}
