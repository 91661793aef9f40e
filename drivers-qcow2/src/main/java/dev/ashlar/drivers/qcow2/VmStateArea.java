package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.VmStateCapable;
import dev.ashlar.core.spi.WritePlan;
import dev.ashlar.drivers.qcow2.alloc.WritePlanner;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.metadata.GuestMap;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import java.util.concurrent.locks.StampedLock;

/** The place of a machine's state: what the live L1 table maps behind the last entry that the disk needs. Source: qcow2 specification, "Snapshots". */
final class VmStateArea implements VmStateCapable {
    private final Qcow2Instance image;
    private final LiveDisk disk;
    private final MetadataContext context;
    private final GuestMap guestMap;
    private final WritePlanner planner;
    private final Resizer resizer;

    VmStateArea(
            Qcow2Instance image,
            LiveDisk disk,
            MetadataContext context,
            GuestMap guestMap,
            WritePlanner planner,
            Resizer resizer) {
        this.image = image;
        this.disk = disk;
        this.context = context;
        this.guestMap = guestMap;
        this.planner = planner;
        this.resizer = resizer;
    }

    @Override
    public void dropVmState() throws BlockException {
        disk.requireWritable();
        resizer.dropVmState(disk.sizeBytes());
    }

    @Override
    public FormatInstance openVmState() {
        return new VmStateView(image, this);
    }

    /** First guest offset behind all that the disk's own L1 entries cover. */
    private long guestOffset() {
        return context.geometry().l1EntriesFor(disk.sizeBytes())
                * context.geometry().l1EntryCoverageBytes();
    }

    /** Longest state that the largest L1 table could map, in bytes. */
    long lengthBytes() {
        long entries = Qcow2Header.MAX_L1_BYTES / 8 - context.geometry().l1EntriesFor(disk.sizeBytes());
        long coverage = context.geometry().l1EntryCoverageBytes();
        return Math.min(entries, (Long.MAX_VALUE - guestOffset()) / coverage) * coverage;
    }

    /** @param offset within the state, as the view counts */
    Mapping map(long offset, long lengthBytes) throws BlockException {
        context.file().event(BlockEvent.VMSTATE_LOAD);
        long base = guestOffset();
        StampedLock lock = context.lock();
        long stamp = lock.readLock();
        try {
            return guestMap.map(context.active(), base + lengthBytes(), base + offset, lengthBytes);
        } catch (InternalError e) {
            throw context.file().pageFailed(e);
        } finally {
            lock.unlockRead(stamp);
        }
    }

    WritePlan planWrite(long offset, long lengthBytes) throws BlockException {
        disk.requireWritable();
        context.file().event(BlockEvent.VMSTATE_SAVE);
        disk.requireOwnData();
        long at = guestOffset() + offset;
        if (context.geometry().l1Index(at) >= context.active().length()) {
            resizer.extendL1(context.geometry().l1Index(at) + 1, disk.sizeBytes());
        }
        return planner.plan(at, lengthBytes, Long.MAX_VALUE);
    }
}
