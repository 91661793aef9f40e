package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.metadata.WriteBack;

/** Grows a disk: a larger L1 table where it needs one, then size and table in force with one write of the header's sector. */
final class Resizer {
    private final MetadataContext context;
    private final WriteBack writeBack;

    Resizer(MetadataContext context, WriteBack writeBack) {
        this.context = context;
        this.writeBack = writeBack;
    }

    void grow(long sizeBytes) throws BlockException {
        ClusterGeometry geometry = context.geometry();
        long needed = geometry.l1EntriesFor(sizeBytes);
        if (needed * 8 > Qcow2Header.MAX_L1_BYTES) {
            throw new BlockException(Kind.TOO_LARGE, "Failed to grow the L1 table: File too large");
        }
        ImageFile file = context.file();
        context.writeBackLock().lock();
        try {
            writeBack.flushLocked();
            long stamp = context.lock().writeLock();
            try {
                L1Table old = context.active();
                if (needed > old.length()) {
                    switchToLarger(old, (int) needed, sizeBytes);
                } else {
                    context.header().setSize(sizeBytes);
                    context.header().write(file);
                    file.flush();
                }
            } finally {
                context.lock().unlockWrite(stamp);
            }
        } finally {
            context.writeBackLock().unlock();
        }
    }

    private void switchToLarger(L1Table old, int entries, long sizeBytes) throws BlockException {
        ClusterGeometry geometry = context.geometry();
        ImageFile file = context.file();
        long first = context.allocator().allocateTable(geometry.clustersFor(entries * 8L));
        L1Table larger = L1Table.of(file, geometry.clusterOffset(first), old.copyOfEntries(entries));
        context.refcounts().takeChanges().write(file);
        file.write(larger.hostOffset(), larger.encode(0, entries));
        file.flush();
        context.header().setSize(sizeBytes);
        context.header().setL1(larger.hostOffset(), entries);
        context.header().write(file);
        file.flush();
        context.setActive(larger);
        if (old.length() > 0) {
            context.allocator()
                    .release(geometry.clusterIndex(old.hostOffset()), geometry.clustersFor(old.length() * 8L));
        }
    }
}
