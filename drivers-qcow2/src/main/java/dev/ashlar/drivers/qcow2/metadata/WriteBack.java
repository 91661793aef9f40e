package dev.ashlar.drivers.qcow2.metadata;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator.Run;
import dev.ashlar.drivers.qcow2.alloc.Discard;
import dev.ashlar.drivers.qcow2.alloc.LostReferences;
import dev.ashlar.drivers.qcow2.alloc.PassedDiscards;
import dev.ashlar.drivers.qcow2.alloc.RefcountTable;
import dev.ashlar.drivers.qcow2.format.Feature;
import dev.ashlar.drivers.qcow2.metadata.TableBuffer.PendingWrite;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.Lock;

/**
 * Puts changed metadata on disk in order. Data that was written before, changed refcounts and new tables come first; a flush (F1); then the words that make
 * them reachable; a flush (F2); then clusters that lost their reference are free. Two flushes for whatever came together since the last time, one more when the
 * file got new refcount blocks, only one when nothing was linked.
 *
 * <pre>
 *   write new refcount blocks, F0, name them in the refcount table      (only if there are any)
 *   write refcounts, new L2 tables        F1     R1 R2 R3
 *   write L2 words, L1 words              F2     R4 R5
 *   uncount, punch
 * </pre>
 *
 * <p>Changes are copied under the metadata lock and written without it, so requests go on. One write-back at a time: the write-back lock is taken before the
 * metadata lock, never after.
 */
public final class WriteBack {
    private final MetadataContext context;
    private final PassedDiscards passed;

    /** @param passed which space of freed clusters is given back to the host */
    public WriteBack(MetadataContext context, PassedDiscards passed) {
        this.context = context;
        this.passed = passed;
    }

    /**
     * Copies on their way.
     *
     * @param refcounts changed counts
     * @param newTables L2 tables that nothing durable names yet
     * @param links words that make clusters reachable, or unreachable
     * @param unreferenced clusters that lose a reference with these links
     */
    record Changes(
            RefcountTable.Changes refcounts,
            List<PendingWrite> newTables,
            List<PendingWrite> links,
            Map<Discard, List<Run>> unreferenced) {
        boolean isEmpty() {
            return refcounts.isEmpty() && newTables.isEmpty() && links.isEmpty() && unreferenced.isEmpty();
        }
    }

    /** Makes durable all that had completed before, data included. */
    public void flush() throws BlockException {
        Lock writeBackLock = context.writeBackLock();
        writeBackLock.lock();
        try {
            flushLocked();
        } finally {
            writeBackLock.unlock();
        }
    }

    /** As {@link #flush}; the caller holds the write-back lock but not the metadata lock. */
    public void flushLocked() throws BlockException {
        context.file().requireHealthy();
        write(take());
    }

    /** As {@link #flushLocked}, but where the tables hold no change there is nothing to wait for, and guest data stays to be flushed. */
    public void settleLocked() throws BlockException {
        context.file().requireHealthy();
        Changes changes = take();
        if (!changes.isEmpty()) {
            write(changes);
        }
    }

    private void write(Changes changes) throws BlockException {
        ImageFile file = context.file();
        assert changes.isEmpty()
                        || (context.header().autoclearFeatures() & ~(Feature.BITMAPS | Feature.DATA_FILE_RAW)) == 0
                : "R10: tables change under features that do not know of it";
        changes.refcounts().write(file);
        for (PendingWrite table : changes.newTables()) {
            file.write(table);
        }
        file.flush();
        if (!changes.links().isEmpty()) {
            assert file.isSettled() : "R1, R2: counts and new tables are not durable";
            for (PendingWrite link : changes.links()) {
                file.write(link);
            }
            file.flush();
        }
        settle(changes.unreferenced());
    }

    private Changes take() {
        long stamp = context.lock().writeLock();
        try {
            Changes changes = new Changes(
                    context.refcounts().takeChanges(),
                    new ArrayList<>(),
                    new ArrayList<>(),
                    context.quarantine().take());
            context.active().takeChanges(changes);
            return changes;
        } finally {
            context.lock().unlockWrite(stamp);
        }
    }

    /** The references are durably gone: punches what nobody else counts, then uncounts, and forgets buffers that the disk has now. */
    private void settle(Map<Discard, List<Run>> unreferenced) throws BlockException {
        assert context.file().isSettled() : "R4, R5: the references are not durably gone";
        List<Run> mayGo = ofPassed(unreferenced);
        if (!mayGo.isEmpty()) {
            List<Run> free;
            long stamp = context.lock().readLock();
            try {
                free = LostReferences.soleOwners(mayGo, context.refcounts());
            } finally {
                context.lock().unlockRead(stamp);
            }
            punch(free);
        }
        long stamp = context.lock().writeLock();
        try {
            ClusterAllocator allocator = context.allocator();
            for (List<Run> runs : unreferenced.values()) {
                for (Run run : runs) {
                    allocator.release(run.firstCluster(), run.count());
                }
            }
            context.active().dropClean();
            context.refcounts().dropClean();
        } catch (BlockException e) {
            context.file().fail(e);
            throw e;
        } finally {
            context.lock().unlockWrite(stamp);
        }
    }

    /** Gives the space of those clusters back that nobody counts. The caller holds the metadata lock. */
    public void punchFree(Map<Discard, List<Run>> uncounted) throws BlockException {
        List<Run> free = new ArrayList<>();
        for (Run run : ofPassed(uncounted)) {
            long first = run.firstCluster();
            LostReferences.addWithCount(free, first, first + run.count(), 0, context.refcounts());
        }
        punch(free);
    }

    private List<Run> ofPassed(Map<Discard, List<Run>> given) {
        List<Run> result = new ArrayList<>();
        given.forEach((reason, runs) -> {
            if (passed.passes(reason)) {
                result.addAll(runs);
            }
        });
        return result;
    }

    private void punch(List<Run> runs) {
        ImageFile file = context.file();
        for (Run run : runs) {
            file.punch(
                    file.geometry().clusterOffset(run.firstCluster()),
                    run.count() * file.geometry().clusterBytes());
        }
    }
}
