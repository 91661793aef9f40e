package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BackingContent;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.drivers.qcow2.alloc.Discard;
import dev.ashlar.drivers.qcow2.alloc.Preallocator;
import dev.ashlar.drivers.qcow2.alloc.Unmapper;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.metadata.WriteBack;
import dev.ashlar.drivers.qcow2.snapshot.ExclusiveMetadata;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Changes the length of the live L1 table and the disk's size: the new table is complete and durable, then size and table are in force with one write of the
 * header's sector, then the old one is given up.
 */
final class Resizer {
    private final MetadataContext context;
    private final WriteBack writeBack;
    private final ClusterGeometry geometry;
    private final ImageFile file;
    private final DiskEnd diskEnd;
    private final Unmapper unmapper;
    private final Preallocator preallocator;
    private final boolean zeroFlag;

    /** @param zeroFlag the image's version knows zero clusters */
    Resizer(
            MetadataContext context,
            WriteBack writeBack,
            DiskEnd diskEnd,
            Unmapper unmapper,
            Preallocator preallocator,
            boolean zeroFlag) {
        this.diskEnd = diskEnd;
        this.unmapper = unmapper;
        this.preallocator = preallocator;
        this.zeroFlag = zeroFlag;
        this.context = context;
        this.writeBack = writeBack;
        this.geometry = context.geometry();
        this.file = context.file();
    }

    /**
     * Grows the disk. What the L1 table maps behind the old end is VM state, and does not become part of the disk; what else was left there is cleared first. With
     * preallocation the new part has its clusters before the size says so, and where a longer backing file would show it has its zeros: all of it, or the disk
     * stays as it was.
     *
     * @param backing null: nothing is behind what is not allocated
     */
    void grow(long oldBytes, long newBytes, Preallocation preallocation, @Nullable BackingContent backing)
            throws BlockException {
        long needed = geometry.l1EntriesFor(newBytes);
        requireL1Length(needed);
        if (diskEnd.clear(oldBytes, backing)) {
            // the zeros are there before the size shows them
            file.flush();
        }
        long backingEnd = backing == null ? 0 : backing.lengthBytes();
        boolean prepares = preallocation != Preallocation.OFF || backingEnd > oldBytes;
        if (prepares) {
            prepare(oldBytes, newBytes, preallocation, backingEnd);
        }
        try (ExclusiveMetadata exclusive = new ExclusiveMetadata(context, writeBack)) {
            int kept = prepares ? (int) needed : (int) geometry.l1EntriesFor(oldBytes);
            if (needed > context.active().length() || hasEntries(kept)) {
                switchTable(exclusive, (int) Math.max(needed, kept), kept, newBytes);
            } else {
                setSize(newBytes);
            }
        }
    }

    /** The tables know the new part before the size shows it. */
    private void prepare(long oldBytes, long newBytes, Preallocation preallocation, long backingEnd)
            throws BlockException {
        dropVmState(oldBytes);
        extendL1(geometry.l1EntriesFor(newBytes), oldBytes);
        long from = geometry.alignUp(oldBytes);
        try {
            if (preallocation != Preallocation.OFF) {
                preallocator.preallocate(from, newBytes, preallocation);
            }
            if (backingEnd > oldBytes && newBytes > from) {
                hideBacking(from, newBytes, preallocation, backingEnd);
            }
        } catch (BlockException e) {
            if (!file.isFailed()) {
                giveUpBehind(oldBytes, null);
            }
            throw e;
        }
    }

    private void hideBacking(long from, long newBytes, Preallocation preallocation, long backingEnd)
            throws BlockException {
        if (zeroFlag) {
            unmapper.writeZeroes(from, geometry.alignUp(newBytes) - from, false);
        } else if (preallocation == Preallocation.OFF) {
            // version 2 has no word for zeros: clusters that nobody has written yet stand for them
            preallocator.preallocate(from, Math.min(newBytes, backingEnd), Preallocation.METADATA);
        }
    }

    /**
     * Shrinks the disk: the size, then the entries behind it, then the counts, then the file, each durable before the next. A crash after the first step leaves a
     * disk of the new size.
     */
    void shrink(long newBytes, @Nullable BackingContent backing) throws BlockException {
        try (ExclusiveMetadata exclusive = new ExclusiveMetadata(context, writeBack)) {
            exclusive.writeCounts();
            setSize(newBytes);
        }
        giveUpBehind(newBytes, backing);
    }

    private void giveUpBehind(long diskBytes, @Nullable BackingContent backing) throws BlockException {
        diskEnd.clearAll(diskBytes, backing);
        // entries gone, F, counts lowered in memory; then the counts, F
        writeBack.flush();
        try (ExclusiveMetadata exclusive = new ExclusiveMetadata(context, writeBack)) {
            long end = geometry.clusterOffset(context.allocator().trim());
            exclusive.makeCountsDurable();
            if (end < file.lengthBytes()) {
                file.cut(end);
            }
        }
    }

    private void setSize(long diskBytes) throws BlockException {
        context.header().setSize(diskBytes);
        context.header().write(file);
        file.flush();
    }

    /** Makes room for VM state. The disk's size stays. */
    void extendL1(long entries, long diskBytes) throws BlockException {
        requireL1Length(entries);
        try (ExclusiveMetadata exclusive = new ExclusiveMetadata(context, writeBack)) {
            int length = context.active().length();
            if (entries > length) {
                // some more at once: state arrives in small pieces
                long more = Math.min(Math.max(entries, length + 8L), Qcow2Header.MAX_L1_BYTES / 8);
                switchTable(exclusive, (int) more, length, diskBytes);
            }
        }
    }

    /** Gives up all clusters of the live disk, and its state of a machine: an empty L1 table takes the place of the present one. */
    void makeEmpty(long diskBytes) throws BlockException {
        try (ExclusiveMetadata exclusive = new ExclusiveMetadata(context, writeBack)) {
            file.event(BlockEvent.EMPTY_IMAGE_PREPARE);
            if (hasEntries(0)) {
                switchTable(exclusive, (int) geometry.l1EntriesFor(diskBytes), 0, diskBytes);
            }
        }
    }

    /** Gives up what is mapped behind the disk. */
    void dropVmState(long diskBytes) throws BlockException {
        try (ExclusiveMetadata exclusive = new ExclusiveMetadata(context, writeBack)) {
            int kept = (int) geometry.l1EntriesFor(diskBytes);
            if (hasEntries(kept)) {
                switchTable(exclusive, kept, kept, diskBytes);
            }
        }
    }

    private static void requireL1Length(long entries) throws BlockException {
        if (entries * 8 > Qcow2Header.MAX_L1_BYTES) {
            throw new BlockException(Kind.TOO_LARGE, "Failed to grow the L1 table: File too large");
        }
    }

    private boolean hasEntries(int from) {
        for (int i = from; i < context.active().length(); i++) {
            if (context.active().entry(i) != 0) {
                return true;
            }
        }
        return false;
    }

    private void announce(boolean grows, BlockEvent event) throws BlockException {
        if (grows) {
            file.event(event);
        }
    }

    /** @param kept entries of the old table that the new one takes over; what the others reach loses a reference */
    private void switchTable(ExclusiveMetadata exclusive, int length, int kept, long diskBytes) throws BlockException {
        L1Table old = context.active();
        long[] words = Arrays.copyOf(old.copyOfEntries(kept), length);
        long clusters = geometry.clustersFor(length * 8L);
        boolean grows = length > old.length();
        announce(grows, BlockEvent.L1_GROW_ALLOC_TABLE);
        long offset =
                clusters == 0 ? 0 : geometry.clusterOffset(context.allocator().allocateTable(clusters));
        exclusive.writeCounts();
        L1Table table = L1Table.of(file, offset, words);
        if (length > 0) {
            announce(grows, BlockEvent.L1_GROW_WRITE_TABLE);
            file.write(offset, table.encode(0, length));
        }
        file.flush();
        announce(grows, BlockEvent.L1_GROW_ACTIVATE_TABLE);
        context.header().setSize(diskBytes);
        context.header().setL1(offset, length);
        context.header().write(file);
        file.flush();
        context.setActive(table);
        long[] dropped = old.copyOfEntries(old.length());
        Arrays.fill(dropped, 0, kept, 0);
        exclusive.uncount(L1Table.of(file, old.hostOffset(), dropped), Discard.ALWAYS, Discard.OTHER);
    }
}
