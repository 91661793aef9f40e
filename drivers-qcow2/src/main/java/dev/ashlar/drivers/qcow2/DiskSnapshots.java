package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.snapshot.SnapshotIndex;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.PrintableName;
import dev.ashlar.core.spi.SnapshotCapable;
import dev.ashlar.core.spi.SnapshotComparable;
import dev.ashlar.core.spi.SnapshotRenamable;
import dev.ashlar.drivers.qcow2.format.SnapshotEntry;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.snapshot.LayerComparison;
import dev.ashlar.drivers.qcow2.snapshot.Snapshots;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.StampedLock;
import org.jspecify.annotations.Nullable;

/** The image's internal snapshots as core sees them, and those of them that are open for reading. */
final class DiskSnapshots implements SnapshotCapable, SnapshotComparable, SnapshotRenamable {
    private final Qcow2Instance image;
    private final LiveDisk disk;
    private final MetadataContext context;
    private final Snapshots snapshots;
    private final Resizer resizer;
    private final Map<SnapshotInfo, Integer> openViews = new HashMap<>();

    DiskSnapshots(Qcow2Instance image, LiveDisk disk, MetadataContext context, Snapshots snapshots, Resizer resizer) {
        this.image = image;
        this.disk = disk;
        this.context = context;
        this.snapshots = snapshots;
        this.resizer = resizer;
    }

    @Override
    public List<SnapshotInfo> snapshots() {
        return snapshots.index().list();
    }

    @Override
    public SnapshotIndex snapshotIndex() {
        return snapshots.index();
    }

    @Override
    public SnapshotInfo renameSnapshot(SnapshotInfo snapshot, String name) throws BlockException {
        disk.requireWritable();
        disk.requireOwnData();
        requireNoView(snapshot, "renamed");
        return snapshots.rename(snapshot, name);
    }

    @Override
    public void prepareCreate() throws BlockException {
        disk.requireWritable();
        disk.requireOwnData();
        try {
            snapshots.prepareCreate();
        } catch (InternalError e) {
            throw context.file().pageFailed(e);
        }
    }

    @Override
    public void abandonCreate() throws BlockException {
        snapshots.abandonCreate();
    }

    @Override
    public SnapshotInfo createSnapshot(SnapshotRequest request) throws BlockException {
        disk.requireWritable();
        disk.requireOwnData();
        SnapshotInfo created = snapshots.create(request, disk.sizeBytes());
        if (request.vmStateSizeBytes() > 0) {
            // the snapshot has it; the live disk has no use for it any more
            resizer.dropVmState(disk.sizeBytes());
        }
        return created;
    }

    @Override
    public void applySnapshot(SnapshotInfo snapshot) throws BlockException {
        disk.requireWritable();
        disk.requireOwnData();
        disk.setSizeBytes(snapshots.apply(snapshot));
    }

    @Override
    public void deleteSnapshot(SnapshotInfo snapshot) throws BlockException {
        disk.requireWritable();
        disk.requireOwnData();
        requireNoView(snapshot, "deleted");
        snapshots.delete(snapshot);
    }

    private void requireNoView(SnapshotInfo snapshot, String participle) throws BlockException {
        synchronized (openViews) {
            if (openViews.containsKey(snapshot)) {
                throw new BlockException(
                        Kind.BUSY,
                        "Snapshot '" + PrintableName.of(snapshot.name()) + "' is open for reading and can't be "
                                + participle);
            }
        }
    }

    @Override
    public FormatInstance openSnapshot(SnapshotInfo snapshot) throws BlockException {
        disk.requireOwnData();
        SnapshotEntry entry = snapshots.entry(snapshot);
        L1Table table = snapshots.loadL1(entry);
        synchronized (openViews) {
            openViews.merge(snapshot, 1, Integer::sum);
        }
        return new SnapshotView(image, this, entry.info(), table);
    }

    /** A view was closed. */
    void viewClosed(SnapshotInfo snapshot) {
        synchronized (openViews) {
            openViews.computeIfPresent(snapshot, (key, count) -> count == 1 ? null : count - 1);
        }
    }

    @Override
    public void difference(@Nullable SnapshotInfo from, @Nullable SnapshotInfo to, RangeConsumer consumer)
            throws BlockException {
        StampedLock lock = context.lock();
        long stamp = lock.readLock();
        try {
            LayerComparison.difference(
                    context.layout(), tableOf(from), sizeOf(from), tableOf(to), sizeOf(to), consumer);
        } catch (InternalError e) {
            throw context.file().pageFailed(e);
        } finally {
            lock.unlockRead(stamp);
        }
    }

    @Override
    public Usage usage(@Nullable SnapshotInfo snapshot) throws BlockException {
        StampedLock lock = context.lock();
        long stamp = lock.readLock();
        try {
            return LayerComparison.usage(context.layout(), context.refcounts(), tableOf(snapshot));
        } catch (InternalError e) {
            throw context.file().pageFailed(e);
        } finally {
            lock.unlockRead(stamp);
        }
    }

    private L1Table tableOf(@Nullable SnapshotInfo snapshot) throws BlockException {
        return snapshot == null ? context.active() : snapshots.loadL1(snapshots.entry(snapshot));
    }

    private long sizeOf(@Nullable SnapshotInfo snapshot) {
        return snapshot == null ? disk.sizeBytes() : snapshot.diskSizeBytes();
    }
}
