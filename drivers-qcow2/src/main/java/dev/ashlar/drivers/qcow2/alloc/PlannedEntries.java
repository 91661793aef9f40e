package dev.ashlar.drivers.qcow2.alloc;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;

/**
 * Entries of one L2 table that a plan is going to change. The table is pinned until the plan ends: a snapshot shares it only when no plan for it is under way.
 */
final class PlannedEntries {
    /** Puts a plan into the table. */
    @FunctionalInterface
    interface Change {
        void apply(L1Table active, int l1Index, int l2Index) throws BlockException;
    }

    /** Gives back what a plan has taken. */
    @FunctionalInterface
    interface GiveBack {
        void run() throws BlockException;
    }

    private final MetadataContext context;
    private final L1Table active;
    private final int l1Index;
    private final int l2Index;
    private boolean pinned = true;

    /** Called under the lock for writing. */
    PlannedEntries(MetadataContext context, L1Table active, int l1Index, int l2Index) {
        this.context = context;
        this.active = active;
        this.l1Index = l1Index;
        this.l2Index = l2Index;
        active.pin(l1Index);
    }

    void commit(Change change) throws BlockException {
        long stamp = context.lock().writeLock();
        try {
            context.file().requireHealthy();
            change.apply(active, l1Index, l2Index);
        } finally {
            unpin();
            context.lock().unlockWrite(stamp);
        }
    }

    void abort(GiveBack giveBack) {
        long stamp = context.lock().writeLock();
        try {
            giveBack.run();
        } catch (BlockException e) {
            context.file().fail(e);
        } finally {
            unpin();
            context.lock().unlockWrite(stamp);
        }
    }

    /** Under the lock; the second time, after a commit that failed, nothing happens. */
    private void unpin() {
        if (pinned) {
            pinned = false;
            active.unpin(l1Index);
        }
    }
}
