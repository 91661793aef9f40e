package dev.ashlar.drivers.qcow2.alloc;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator.Run;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator.TableFullException;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.metadata.TableBuffer;
import dev.ashlar.drivers.qcow2.metadata.WriteBack;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.Lock;

/**
 * Before an entry of the active layer changes: sees to L2 tables of the layer's own, to room in memory for the change and in the refcount table for what it needs.
 * Any thread.
 */
public final class OwnedTables {
    /** L2 tables in memory that wait to be written; more than that are written back at once. */
    private static final long MAX_DIRTY_BYTES = 32L << 20;

    private static final int MAX_QUARANTINED_RUNS = 1 << 18;

    private final MetadataContext context;
    private final ClusterGeometry geometry;
    private final L2Layout layout;
    private final WriteBack writeBack;
    private final int maxDirtyTables;

    public OwnedTables(MetadataContext context, WriteBack writeBack) {
        this.context = context;
        this.geometry = context.geometry();
        this.layout = context.layout();
        this.writeBack = writeBack;
        this.maxDirtyTables = (int) Math.max(8, MAX_DIRTY_BYTES / geometry.clusterBytes());
    }

    /** Writes changed tables back when too many wait, or too many clusters to be freed. */
    void makeRoom() throws BlockException {
        if (context.active().dirtyTables() > maxDirtyTables
                || context.quarantine().size() > MAX_QUARANTINED_RUNS) {
            writeBack.flush();
        }
    }

    /** Sees to an L2 table of the active layer's own: a new one, or a copy of one shared with a snapshot. */
    void own(L1Table active, int l1Index) throws BlockException {
        if (active.ownsL2(l1Index)) {
            // an entry may name other metadata as its table
            context.overlaps().requireFree(active.l2Offset(l1Index), geometry.clusterBytes(), MetadataClass.ACTIVE_L2);
            return;
        }
        context.overlaps().requireFree(active.hostOffset() + 8L * l1Index, 8, MetadataClass.ACTIVE_L1);
        long shared = active.l2Offset(l1Index);
        if (shared != 0) {
            context.file().event(BlockEvent.L2_ALLOC_COW_READ);
        }
        MemorySegment content = active.l2View(l1Index);
        Run run = context.allocator().allocate(1);
        long offset = geometry.clusterOffset(run.firstCluster());
        try {
            context.file().claim(offset, geometry.clusterBytes());
        } catch (BlockException e) {
            context.allocator().release(run.firstCluster(), 1);
            throw e;
        }
        TableBuffer table = TableBuffer.fresh(offset, geometry.clusterBytes());
        if (content != null) {
            MemorySegment.copy(content, 0, table.data(), 0, geometry.clusterBytes());
            // clusters named by two tables have two references, but for those that are not counted
            for (int i = 0; !layout.externalData() && i < geometry.l2Entries(); i++) {
                long word = layout.word(table.data(), i);
                if (TableEntry.isCopied(word)) {
                    layout.putWord(table.data(), i, word & ~TableEntry.COPIED);
                }
            }
            context.quarantine().add(geometry.clusterIndex(shared), 1, Discard.OTHER);
        }
        active.putL2Table(l1Index, table);
        context.overlaps().add(MetadataClass.ACTIVE_L2, run.firstCluster(), 1);
    }

    /** Something that may need clusters, and can be begun again when there was no room for their counts. */
    @FunctionalInterface
    interface Step<T> {
        T run() throws BlockException;
    }

    /** Runs a step, and enlarges the refcount table and runs it again where that is full. Called without locks. */
    <T> T growing(Step<T> step) throws BlockException {
        while (true) {
            try {
                return step.run();
            } catch (TableFullException e) {
                growRefcountTable();
            }
        }
    }

    private void growRefcountTable() throws BlockException {
        Lock writeBackLock = context.writeBackLock();
        writeBackLock.lock();
        try {
            writeBack.flushLocked();
            long stamp = context.lock().writeLock();
            try {
                context.allocator().growTable();
            } finally {
                context.lock().unlockWrite(stamp);
            }
        } finally {
            writeBackLock.unlock();
        }
    }

    /** The references that an L2 word held are given up: the clusters go to the quarantine. */
    void giveUp(long word, Discard reason) {
        if (layout.externalData()) {
            // clusters of a data file are not counted
            return;
        }
        if (TableEntry.isCompressed(word)) {
            long first = geometry.clusterIndex(TableEntry.compressedOffset(word, geometry));
            long last = geometry.clusterIndex(
                    TableEntry.compressedOffset(word, geometry) + TableEntry.compressedBytes(word, geometry) - 1);
            context.allocator().leaveTail(first, last - first + 1);
            context.quarantine().add(first, last - first + 1, reason);
        } else if (layout.namesCluster(word)) {
            context.quarantine().add(geometry.clusterIndex(TableEntry.offset(word)), 1, reason);
        }
    }
}
