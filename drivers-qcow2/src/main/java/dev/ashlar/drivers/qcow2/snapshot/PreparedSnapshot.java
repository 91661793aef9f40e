package dev.ashlar.drivers.qcow2.snapshot;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.alloc.MetadataClass;
import dev.ashlar.drivers.qcow2.alloc.MetadataRegions;
import dev.ashlar.drivers.qcow2.alloc.Quarantine;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.metadata.WriteBack;
import java.util.concurrent.locks.Lock;

/**
 * The references that a snapshot will hold, counted before it is taken and while requests go on, so that a drained node waits only for
 * what has changed since.
 *
 * <p>An L2 table that has been counted is treated as if the snapshot held it already: it is not changed any more, a write to its part of the disk
 * makes a copy first, and what the write replaces keeps the count that the snapshot may need. When the node stands still, tables that were
 * copied meanwhile are exchanged. All of it is counts too high, that is leaks, until the snapshot table names the snapshot: a power cut before costs nothing else.
 */
final class PreparedSnapshot {
    /** L2 tables that are counted with one hold of the locks. */
    private static final int BATCH_BYTES = 512 << 10;

    private static final int MOST_PASSES = 3;
    /** Tables that are left to the drained node. */
    private static final int FEW = 4;

    private final MetadataContext context;
    private final WriteBack writeBack;
    /** Names the tables that are counted; other entries are 0. */
    private volatile L1Table counted;

    private final Quarantine freed = new Quarantine();

    PreparedSnapshot(MetadataContext context, WriteBack writeBack) {
        this.context = context;
        this.writeBack = writeBack;
        this.counted = L1Table.of(context.file(), 0, new long[context.active().length()]);
    }

    /** Counts what the live disk refers to, and clears the flags that claim it (rule R6), durably. Requests go on. */
    void countAhead() throws BlockException {
        writeBack.flush();
        for (int pass = 0; pass < MOST_PASSES; pass++) {
            if (countPass() <= FEW) {
                break;
            }
        }
        writeBack.flush();
    }

    /** @return tables that were counted */
    private int countPass() throws BlockException {
        int batch = Math.max(1, BATCH_BYTES / context.geometry().clusterBytes());
        int tables = 0;
        for (int from = 0; from < context.active().length(); from += batch) {
            Lock writeBackLock = context.writeBackLock();
            writeBackLock.lock();
            try {
                tables += countBatch(from, from + batch);
            } finally {
                writeBackLock.unlock();
            }
        }
        return tables;
    }

    /** Nothing is on its way to the disk: of a table without changes in memory all is durable, also that others were replaced by it. */
    private int countBatch(int from, int to) throws BlockException {
        ImageFile file = context.file();
        long[] fresh = new long[to - from];
        int tables = 0;
        long stamp = context.lock().writeLock();
        try {
            file.requireHealthy();
            L1Table active = context.active();
            for (int i = from; i < Math.min(to, active.length()); i++) {
                if (!active.isBusy(i) && exchange(active, i)) {
                    active.shareL2(i);
                    fresh[i - from] = counted.entry(i);
                    tables++;
                }
            }
        } finally {
            context.lock().unlockWrite(stamp);
        }
        CopiedFlags.clearInL2(context, L1Table.of(file, 0, fresh));
        return tables;
    }

    /** Counts the table that stands in the live L1 table instead of the one that was counted for this index. @return whether it is another one */
    private boolean exchange(L1Table active, int index) throws BlockException {
        long wanted = index < active.length() ? active.l2Offset(index) : 0;
        long old = counted.entry(index);
        if (wanted == old) {
            return false;
        }
        if (wanted != 0) {
            References.addTable(context, active, index);
        }
        if (old != 0) {
            // no durable reference was ever behind this count
            References.removeTable(context, counted, index, freed);
        }
        counted.putEntry(index, wanted);
        return wanted != 0;
    }

    /**
     * Counts exactly what the live disk refers to now. The caller holds both locks and nothing is pending. When it fails, {@link #abandon} is still to be called.
     *
     * @return names the tables that were not counted ahead: flags stand in them
     */
    L1Table settle() throws BlockException {
        L1Table active = context.active();
        if (active.length() > counted.length()) {
            counted = L1Table.of(context.file(), 0, counted.copyOfEntries(active.length()));
        }
        long[] fresh = new long[counted.length()];
        for (int i = 0; i < counted.length(); i++) {
            if (exchange(active, i)) {
                fresh[i] = counted.entry(i);
            }
        }
        return L1Table.of(context.file(), 0, fresh);
    }

    /** Gives host space back that nothing uses any more. The caller holds both locks; the counts are durable. */
    void punchFreed() throws BlockException {
        writeBack.punchFree(freed.take());
    }

    /** Takes the references back: there will be no snapshot. The caller holds both locks and nothing is pending. */
    void abandon(ExclusiveMetadata exclusive) throws BlockException {
        try {
            for (int i = 0; i < counted.length(); i++) {
                if (counted.entry(i) != 0) {
                    References.removeTable(context, counted, i, freed);
                    counted.putEntry(i, 0);
                }
            }
        } catch (BlockException e) {
            context.file().fail(e);
            throw e;
        }
        exclusive.makeCountsDurable();
        punchFreed();
        CopiedFlags.restore(context);
    }

    /** The tables that are counted, as tables of a snapshot. */
    void collectRegions(MetadataRegions.Builder builder) {
        L1Table table = counted;
        for (int i = 0; i < table.length(); i++) {
            if (table.entry(i) != 0) {
                builder.add(
                        MetadataClass.INACTIVE_L2,
                        table.entry(i),
                        context.geometry().clusterBytes());
            }
        }
    }
}
