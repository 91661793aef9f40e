package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.BackingContent;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.WritePlan;
import dev.ashlar.drivers.qcow2.alloc.Unmapper;
import dev.ashlar.drivers.qcow2.alloc.WritePlanner;
import dev.ashlar.drivers.qcow2.compress.CompressedReader;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.metadata.GuestMap;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * What lies right behind the disk's end: the rest of its last cluster, and clusters that the last L2 table still names. Other programs, and a crash while the disk
 * shrank, leave old content there, and a disk that grows must not show it.
 */
final class DiskEnd {
    private final MetadataContext context;
    private final ClusterGeometry geometry;
    private final GuestMap guestMap;
    private final CompressedReader compressedReader;
    private final WritePlanner planner;
    private final Unmapper unmapper;
    private final boolean hasBacking;

    DiskEnd(
            MetadataContext context,
            GuestMap guestMap,
            CompressedReader compressedReader,
            WritePlanner planner,
            Unmapper unmapper,
            boolean hasBacking) {
        this.hasBacking = hasBacking;
        this.context = context;
        this.geometry = context.geometry();
        this.guestMap = guestMap;
        this.compressedReader = compressedReader;
        this.planner = planner;
        this.unmapper = unmapper;
    }

    /**
     * What the disk would show if it grew within its last L2 table reads as zeros, or is not mapped; in the rest of its last cluster a longer backing file does
     * not show, either. Durable after the next write-back and flush.
     *
     * @param backing null: nothing is behind what is not allocated, or it is not known
     * @return whether zeros were written: there may be no change of the tables with them
     */
    boolean clear(long diskBytes, @Nullable BackingContent backing) throws BlockException {
        boolean written = zeroRestOfCluster(diskBytes, backing, Long.MAX_VALUE);
        unmapper.unmapFrom(geometry.alignUp(diskBytes), false);
        return written;
    }

    /** As {@link #clear}, up to the end of the L1 table, but where the backing file would show it will. */
    void clearAll(long diskBytes, @Nullable BackingContent backing) throws BlockException {
        zeroRestOfCluster(diskBytes, backing, diskBytes);
        unmapper.unmapFrom(geometry.alignUp(diskBytes), true);
    }

    /** @param shownBytes nothing of the backing file is looked at from there on */
    private boolean zeroRestOfCluster(long diskBytes, @Nullable BackingContent backing, long shownBytes)
            throws BlockException {
        if (geometry.isAligned(diskBytes)) {
            return false;
        }
        try (Arena arena = Arena.ofConfined()) {
            long start = geometry.alignDown(diskBytes);
            MemorySegment cluster = arena.allocate(geometry.clusterBytes(), 4096);
            read(start, cluster, backing, shownBytes);
            MemorySegment rest = cluster.asSlice(geometry.inCluster(diskBytes));
            if (rest.mismatch(arena.allocate(rest.byteSize(), 8)) < 0) {
                return false;
            }
            rest.fill((byte) 0);
            return write(diskBytes, cluster, backing != null);
        }
    }

    private void read(long start, MemorySegment cluster, @Nullable BackingContent backing, long shownBytes)
            throws BlockException {
        long bytes = cluster.byteSize();
        for (long done = 0; done < bytes; ) {
            long at = start + done;
            Mapping mapping = map(at, bytes - done);
            MemorySegment part = cluster.asSlice(done, mapping.lengthBytes());
            switch (mapping) {
                case Mapping.Data data -> data.child().read(data.hostOffset(), part);
                // what is encrypted is left: zeros there would have to be encrypted, too
                case Mapping.Encoded encoded
                when encoded.kind() == Mapping.Encoded.Kind.ENCRYPTED -> part.fill((byte) 0);
                case Mapping.Encoded encoded -> compressedReader.read(encoded.descriptor(), at, part);
                case Mapping.Backing below -> {
                    long shown = backing == null ? 0 : Math.clamp(shownBytes - at, 0, part.byteSize());
                    if (shown > 0 && backing != null) {
                        backing.read(at, part.asSlice(0, shown));
                    }
                    part.asSlice(shown).fill((byte) 0);
                }
                default -> part.fill((byte) 0);
            }
            done += mapping.lengthBytes();
        }
    }

    private Mapping map(long guestOffset, long lengthBytes) throws BlockException {
        long stamp = context.lock().readLock();
        try {
            return guestMap.map(context.active(), guestOffset + lengthBytes, guestOffset, lengthBytes);
        } finally {
            context.lock().unlockRead(stamp);
        }
    }

    private boolean showsBacking(long from, long to) throws BlockException {
        for (long at = from; at < to; ) {
            Mapping mapping = map(at, to - at);
            if (mapping instanceof Mapping.Backing) {
                return true;
            }
            at += mapping.lengthBytes();
        }
        return false;
    }

    /**
     * @param cluster what the last cluster is to hold; it is written from the disk's end on, with as much before that as a new cluster needs
     * @param whole what the backing file shows is in it
     * @return whether it could be written
     */
    private boolean write(long diskBytes, MemorySegment cluster, boolean whole) throws BlockException {
        int within = geometry.inCluster(diskBytes);
        WritePlan plan = planner.plan(diskBytes, geometry.clusterBytes() - within, Long.MAX_VALUE);
        try {
            long before = plan.copyBeforeBytes();
            if (hasBacking && !whole && showsBacking(diskBytes - before, diskBytes)) {
                // sub-clusters between those that move: the backing file is not open
                plan.abort();
                return false;
            }
            plan.child().write(plan.hostOffset() - before, cluster.asSlice(within - before));
        } catch (BlockException | RuntimeException e) {
            plan.abort();
            throw e;
        }
        plan.commit();
        return true;
    }
}
