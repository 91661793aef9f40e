package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.FormatInfo;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.WritePlan;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** One snapshot's content, read-only, beside the live disk. What it refers to has a count of its own, so it stays as it is. */
final class SnapshotView implements FormatInstance {
    private final Qcow2Instance image;
    private final DiskSnapshots snapshots;
    private final SnapshotInfo snapshot;
    private final L1Table table;

    SnapshotView(Qcow2Instance image, DiskSnapshots snapshots, SnapshotInfo snapshot, L1Table table) {
        this.image = image;
        this.snapshots = snapshots;
        this.snapshot = snapshot;
        this.table = table;
    }

    @Override
    public BlockLimits limits() {
        return image.limits();
    }

    @Override
    public long lengthBytes() {
        return snapshot.diskSizeBytes();
    }

    @Override
    public ChildAccess dataChild() {
        return image.dataChild();
    }

    @Override
    public long allocationUnitBytes() {
        return image.allocationUnitBytes();
    }

    @Override
    public Mapping map(long guestOffset, long lengthBytes) throws BlockException {
        return image.guestMap().map(table, lengthBytes(), guestOffset, lengthBytes);
    }

    @Override
    public long mapDirect(long guestOffset, long lengthBytes) {
        return image.guestMap().direct(table, lengthBytes(), guestOffset, lengthBytes, false);
    }

    @Override
    public WritePlan planWrite(long guestOffset, long lengthBytes) throws BlockException {
        throw new BlockException(Kind.READ_ONLY, "Snapshots are read-only");
    }

    @Override
    public void decode(Mapping.Encoded mapping, long guestOffset, MemorySegment destination) throws BlockException {
        image.decode(mapping, guestOffset, destination);
    }

    @Override
    public void flush() {}

    @Override
    public void close() {
        snapshots.viewClosed(snapshot);
    }

    @Override
    public Optional<ImageReference> backing() {
        return image.backing();
    }

    @Override
    public FormatInfo info() {
        return image.info();
    }
}
