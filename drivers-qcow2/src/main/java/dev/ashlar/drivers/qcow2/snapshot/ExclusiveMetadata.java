package dev.ashlar.drivers.qcow2.snapshot;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.alloc.Discard;
import dev.ashlar.drivers.qcow2.alloc.Quarantine;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.metadata.WriteBack;

/**
 * Both locks, with nothing pending at the start: changed metadata is on disk and nothing is in quarantine. At the end counts that are still only in memory
 * are written.
 */
public final class ExclusiveMetadata implements AutoCloseable {
    private final MetadataContext context;
    private final WriteBack writeBack;
    private final long stamp;

    public ExclusiveMetadata(MetadataContext context, WriteBack writeBack) throws BlockException {
        this.context = context;
        this.writeBack = writeBack;
        context.writeBackLock().lock();
        try {
            writeBack.settleLocked();
        } catch (BlockException | RuntimeException e) {
            context.writeBackLock().unlock();
            throw e;
        }
        this.stamp = context.lock().writeLock();
    }

    /** RC+, F: what is counted from here on may be referred to. */
    public void makeCountsDurable() throws BlockException {
        writeCounts();
        context.file().flush();
    }

    /** RC+: durable with the caller's next flush. */
    public void writeCounts() throws BlockException {
        context.refcounts().takeChanges().write(context.file());
    }

    /**
     * RC-, F: an L1 table that the header durably names no more, and all it reached. What fails here only leaks, but memory and disk differ: fail-stop.
     * Space that nothing uses any more is given back to the host if the node asks for that.
     *
     * @param content why what the table reached is given up
     * @param table why the table itself is
     */
    public void uncount(L1Table gone, Discard content, Discard table) throws BlockException {
        assert context.file().isSettled() : "R4: the table is not durably out of force";
        Quarantine freed = new Quarantine();
        try {
            References.remove(context, gone, content, freed);
            ClusterGeometry geometry = context.geometry();
            long clusters = geometry.clustersFor(gone.length() * 8L);
            if (clusters > 0) {
                long first = geometry.clusterIndex(gone.hostOffset());
                context.allocator().release(first, clusters);
                freed.add(first, clusters, table);
            }
        } catch (BlockException e) {
            context.file().fail(e);
            throw e;
        }
        makeCountsDurable();
        writeBack.punchFree(freed.take());
    }

    @Override
    public void close() throws BlockException {
        try {
            if (!context.file().isFailed()) {
                context.refcounts().takeChanges().write(context.file());
                context.refcounts().dropClean();
            }
        } finally {
            context.lock().unlockWrite(stamp);
            context.writeBackLock().unlock();
        }
    }
}
