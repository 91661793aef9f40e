package dev.ashlar.drivers.qcow2.snapshot;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.snapshot.SnapshotIndex;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.spi.PrintableName;
import dev.ashlar.drivers.qcow2.alloc.Discard;
import dev.ashlar.drivers.qcow2.alloc.MetadataClass;
import dev.ashlar.drivers.qcow2.alloc.MetadataRegions;
import dev.ashlar.drivers.qcow2.alloc.Quarantine;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.format.SnapshotEntry;
import dev.ashlar.drivers.qcow2.format.SnapshotTable;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.L1Table;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.metadata.WriteBack;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The internal snapshots of one image. Each change is all-or-nothing: everything it needs is counted and written to new clusters, and one write of the header's
 * sector puts it in force (rule R7). Called on a drained node, one call at a time.
 */
public final class Snapshots {
    private static final int LIKELY_ENTRY_BYTES = 128;

    private final MetadataContext context;
    private final ClusterGeometry geometry;
    private final ImageFile file;
    private final WriteBack writeBack;
    private volatile List<SnapshotEntry> entries;
    /** Look-ups for {@link #entries}; null until they are wanted. */
    private volatile @Nullable SnapshotIndex index;

    /** What is counted for a snapshot that is about to be taken. */
    private volatile @Nullable PreparedSnapshot prepared;

    private long tableOffset;
    private long tableBytes;
    /** The table is about to be written anew, elsewhere: what lies where it lies may be changed. */
    private boolean tableGivenUp;

    private Snapshots(
            MetadataContext context, WriteBack writeBack, List<SnapshotEntry> entries, long offset, long bytes) {
        this.context = context;
        this.geometry = context.geometry();
        this.file = context.file();
        this.writeBack = writeBack;
        this.entries = Collections.unmodifiableList(entries);
        this.tableOffset = offset;
        this.tableBytes = bytes;
        context.setSnapshotRegions(this::collectRegions);
    }

    private void collectRegions(MetadataRegions.Builder builder) {
        if (!tableGivenUp) {
            builder.add(MetadataClass.SNAPSHOT_TABLE, tableOffset, tableBytes);
        }
        for (SnapshotEntry entry : entries) {
            if (!mayBeTable(entry)) {
                continue;
            }
            builder.add(MetadataClass.INACTIVE_L1, entry.l1TableOffset(), 8L * entry.l1Entries());
            if (builder.wants(MetadataClass.INACTIVE_L2)) {
                collectTables(builder, entry);
            }
        }
        PreparedSnapshot next = prepared;
        if (next != null && builder.wants(MetadataClass.INACTIVE_L2)) {
            next.collectRegions(builder);
        }
    }

    /** What no program reads as an L1 table keeps nothing from being written there: it may claim any part of the file. */
    private boolean mayBeTable(SnapshotEntry entry) {
        return geometry.isAligned(entry.l1TableOffset())
                && Integer.compareUnsigned(entry.l1Entries(), (int) (Qcow2Header.MAX_L1_BYTES / 8)) <= 0;
    }

    private void collectTables(MetadataRegions.Builder builder, SnapshotEntry entry) {
        try {
            L1Table table = loadL1(entry);
            for (int i = 0; i < table.length(); i++) {
                long l2Offset = TableEntry.offset(table.entry(i));
                if (l2Offset != 0) {
                    builder.add(MetadataClass.INACTIVE_L2, l2Offset, geometry.clusterBytes());
                }
            }
        } catch (BlockException e) {
            // a table that can't be read names nothing that could be kept from harm
        }
    }

    /** @param checking a table that can't be read is left to a check, which reads it again */
    public static Snapshots load(MetadataContext context, WriteBack writeBack, Qcow2Header header, boolean checking)
            throws BlockException {
        if (header.snapshotCount() == 0) {
            return new Snapshots(context, writeBack, List.of(), 0, 0);
        }
        try {
            return load(context, writeBack, header);
        } catch (BlockException e) {
            if (!checking) {
                throw e;
            }
            return new Snapshots(context, writeBack, List.of(), 0, 0);
        }
    }

    private static Snapshots load(MetadataContext context, WriteBack writeBack, Qcow2Header header)
            throws BlockException {
        int count = (int) Math.min(header.snapshotCount(), SnapshotTable.MAX_SNAPSHOTS);
        long offset = header.snapshotTableOffset();
        long bytes = Math.min(SnapshotTable.MAX_BYTES, context.file().lengthBytes() - offset);
        if (offset <= 0 || bytes <= 0) {
            throw new BlockException(Kind.CORRUPT, "Snapshot table offset invalid");
        }
        SnapshotTable.Parsed parsed = parse(context.file(), offset, bytes, count, header.sizeBytes());
        return new Snapshots(context, writeBack, parsed.entries(), offset, parsed.lengthBytes());
    }

    /** The header does not say how long the table is: as much is read as may do, and more only where that was too little. */
    private static SnapshotTable.Parsed parse(ImageFile file, long offset, long mostBytes, int count, long diskBytes)
            throws BlockException {
        long bytes = Math.min(mostBytes, (long) count * LIKELY_ENTRY_BYTES);
        while (true) {
            try {
                return SnapshotTable.parse(file.store().view(offset, bytes), count, diskBytes);
            } catch (BlockException e) {
                if (bytes == mostBytes) {
                    throw e;
                }
                bytes = Math.min(mostBytes, 4 * bytes);
            }
        }
    }

    /**
     * What a check has read takes the place of what was loaded; under the image's locks.
     *
     * @param offset 0: the table can't be used
     * @param bytes that the table takes on disk
     * @param rewriting the table is to be written anew; until then it is not kept from harm
     */
    public void adopt(List<SnapshotEntry> found, long offset, long bytes, boolean rewriting) {
        entries = Collections.unmodifiableList(new ArrayList<>(found));
        index = null;
        tableGivenUp = rewriting;
        tableOffset = offset;
        tableBytes = bytes;
        context.overlaps().forget();
    }

    /** The table is written anew, as the format wants it; counts are right by now. */
    public void rewrite() throws BlockException {
        try (ExclusiveMetadata exclusive = exclusive()) {
            List<SnapshotEntry> wanted = entries;
            long bytes = SnapshotTable.encode(wanted).length;
            long clusters = geometry.clustersFor(bytes);
            long first = clusters == 0 ? 0 : context.allocator().allocateTableAside(clusters);
            NewTable newTable = new NewTable(first, clusters, bytes);
            exclusive.makeCountsDurable();
            long oldOffset = tableOffset;
            long oldBytes = tableBytes;
            putInForce(newTable, wanted);
            // counts that could not be mended may be lower than they should be
            long old = geometry.clusterIndex(oldOffset);
            for (long i = 0; i < geometry.clustersFor(oldBytes); i++) {
                if (context.refcounts().get(old + i) != 0) {
                    context.allocator().release(old + i, 1);
                }
            }
        }
    }

    /** Entries in table order; an unmodifiable list that later changes do not touch. */
    public List<SnapshotEntry> entries() {
        return entries;
    }

    public long tableOffset() {
        return tableOffset;
    }

    public long tableBytes() {
        return tableBytes;
    }

    /** The L1 table of a snapshot, validated against the file. */
    public L1Table loadL1(SnapshotEntry entry) throws BlockException {
        long bytes = entry.l1Entries() * 8L;
        if (bytes > 0
                && (entry.l1TableOffset() <= 0
                        || entry.l1TableOffset() > file.lengthBytes() - bytes
                        || !geometry.isAligned(entry.l1TableOffset()))) {
            throw new BlockException(Kind.CORRUPT, "Snapshot L1 table offset invalid", "Invalid argument", null);
        }
        L1Table table = L1Table.load(file, entry.l1TableOffset(), entry.l1Entries());
        long[] own = table.copyOfEntries(table.length());
        CopiedFlags.clearInL1(own);
        return L1Table.of(file, entry.l1TableOffset(), own);
    }

    /** The list as core sees it, kept until the next change. */
    public SnapshotIndex index() {
        SnapshotIndex known = index;
        if (known == null) {
            List<SnapshotInfo> infos = new ArrayList<>(entries.size());
            for (SnapshotEntry entry : entries) {
                infos.add(entry.info());
            }
            known = SnapshotIndex.of(infos);
            index = known;
        }
        return known;
    }

    /** The table entry that was listed as {@code snapshot}. @throws BlockException NOT_FOUND when it is gone */
    public SnapshotEntry entry(SnapshotInfo snapshot) throws BlockException {
        int at = index().position(snapshot.id(), snapshot.name());
        if (at >= 0 && entries.get(at).info().equals(snapshot)) {
            return entries.get(at);
        }
        // several with this id and name, in an image that others made
        for (SnapshotEntry entry : entries) {
            if (entry.info().equals(snapshot)) {
                return entry;
            }
        }
        throw new BlockException(Kind.NOT_FOUND, "Can't find snapshot '" + PrintableName.of(snapshot.name()) + "'");
    }

    public SnapshotInfo create(SnapshotRequest request, long diskBytes) throws BlockException {
        String id = request.id().isEmpty() ? Long.toString(index().highestNumericId() + 1) : request.id();
        if (index().position(id, null) >= 0) {
            throw new BlockException(Kind.EXISTS, "Snapshot with id '" + id + "' already exists");
        }
        SnapshotInfo info = new SnapshotInfo(
                id,
                request.name(),
                request.vmStateSizeBytes(),
                request.dateSeconds(),
                request.dateNanos(),
                request.vmClockNanos(),
                request.instructionCount(),
                diskBytes);
        PreparedSnapshot references = prepared == null ? new PreparedSnapshot(context, writeBack) : prepared;
        prepared = references;
        try (ExclusiveMetadata exclusive = exclusive()) {
            try {
                put(exclusive, references, info);
            } catch (BlockException e) {
                if (!file.isFailed()) {
                    references.abandon(exclusive);
                }
                throw e;
            } finally {
                prepared = null;
            }
        }
        return info;
    }

    /** Counts the references first, then everything is written, and the header's sector names it. */
    private void put(ExclusiveMetadata exclusive, PreparedSnapshot references, SnapshotInfo info)
            throws BlockException {
        L1Table active = context.active();
        byte[] id = bytes(info.id());
        byte[] name = bytes(info.name());
        List<SnapshotEntry> wanted = new ArrayList<>(entries);
        wanted.add(new SnapshotEntry(info, 0, active.length(), new byte[0], id, name));
        NewTable newTable = reserveTable(wanted);
        long l1Copy;
        try {
            l1Copy = reserveL1(active.length());
        } catch (BlockException e) {
            context.allocator().release(newTable.firstCluster(), newTable.clusters());
            throw e;
        }
        L1Table claimed;
        try {
            claimed = references.settle();
        } catch (BlockException e) {
            context.allocator().release(newTable.firstCluster(), newTable.clusters());
            releaseTable(l1Copy, active.length() * 8L);
            throw e;
        }
        wanted.set(wanted.size() - 1, new SnapshotEntry(info, l1Copy, active.length(), new byte[0], id, name));
        if (claimed.isEmpty()) {
            // what the snapshot shares has been counted, durably, and is not claimed any more: only its own tables are
            // new
            exclusive.writeCounts();
        } else {
            exclusive.makeCountsDurable();
            CopiedFlags.clearInL2(context, claimed);
        }
        long[] words = active.copyOfEntries(active.length());
        CopiedFlags.clearInL1(words);
        L1Table shared = L1Table.of(file, active.hostOffset(), words);
        if (words.length > 0) {
            context.overlaps().requireFree(active.hostOffset(), 8L * words.length, MetadataClass.ACTIVE_L1);
            MemorySegment l1 = shared.encode(0, words.length);
            file.write(active.hostOffset(), l1);
            file.write(l1Copy, l1);
        }
        context.setActive(shared);
        switchTable(newTable, wanted);
        references.punchFreed();
    }

    /** Does what {@link #create} can do while requests go on. */
    public void prepareCreate() throws BlockException {
        abandonCreate();
        PreparedSnapshot next = new PreparedSnapshot(context, writeBack);
        prepared = next;
        next.countAhead();
    }

    /** Takes back what {@link #prepareCreate} did, unless a snapshot came of it. */
    public void abandonCreate() throws BlockException {
        PreparedSnapshot unused = prepared;
        if (unused == null) {
            return;
        }
        prepared = null;
        if (!file.isFailed()) {
            try (ExclusiveMetadata exclusive = exclusive()) {
                unused.abandon(exclusive);
            }
        }
    }

    /**
     * Makes the snapshot's content the live disk's.
     *
     * @return the disk's new size in bytes
     */
    public long apply(SnapshotInfo snapshot) throws BlockException {
        SnapshotEntry entry = entry(snapshot);
        long diskBytes = entry.info().diskSizeBytes();
        try (ExclusiveMetadata exclusive = exclusive()) {
            L1Table old = context.active();
            L1Table source = loadL1(entry);
            long needed = geometry.l1EntriesFor(diskBytes);
            if (needed > Math.max(old.length(), entry.l1Entries())) {
                // whoever takes a snapshot copies an L1 table that covers its disk; a size beyond is no more than a
                // claim
                throw new BlockException(
                        Kind.CORRUPT,
                        "Snapshot '" + PrintableName.of(entry.info().name()) + "' claims a disk of " + diskBytes
                                + " bytes, which its L1 table does not cover");
            }
            int length = (int) Math.max(needed, entry.l1Entries());
            long[] words = source.copyOfEntries(length);
            long newOffset = reserveL1(length);
            try {
                References.add(context, source);
            } catch (BlockException e) {
                releaseTable(newOffset, length * 8L);
                throw e;
            }
            exclusive.makeCountsDurable();
            // flags that a crash of another program left behind must not come to life
            CopiedFlags.clearInL2(context, source);
            L1Table fresh = L1Table.of(file, newOffset, words);
            if (length > 0) {
                file.write(newOffset, fresh.encode(0, length));
            }
            file.flush();
            context.header().setSize(diskBytes);
            context.header().setL1(newOffset, length);
            context.header().write(file);
            file.flush();
            context.setActive(fresh);
            exclusive.uncount(old, Discard.SNAPSHOT, Discard.SNAPSHOT);
        }
        return diskBytes;
    }

    public void delete(SnapshotInfo snapshot) throws BlockException {
        SnapshotEntry entry = entry(snapshot);
        try (ExclusiveMetadata exclusive = exclusive()) {
            L1Table gone = loadL1(entry);
            List<SnapshotEntry> wanted = new ArrayList<>(entries);
            wanted.remove(entry);
            NewTable newTable = reserveTable(wanted);
            exclusive.makeCountsDurable();
            switchTable(newTable, wanted);
            exclusive.uncount(gone, Discard.SNAPSHOT, Discard.SNAPSHOT);
            CopiedFlags.restore(context);
        }
    }

    /** Where entries lack extra data that every entry written here has, a new table takes the place of theirs. */
    public void completeEntries() throws BlockException {
        List<SnapshotEntry> wanted = entries;
        if (SnapshotTable.encodedBytes(wanted) == tableBytes) {
            return;
        }
        try (ExclusiveMetadata exclusive = exclusive()) {
            NewTable newTable = reserveTable(wanted);
            exclusive.makeCountsDurable();
            switchTable(newTable, wanted);
        }
    }

    /** Another name for a snapshot: a new table, and nothing else. */
    public SnapshotInfo rename(SnapshotInfo snapshot, String name) throws BlockException {
        SnapshotEntry entry = entry(snapshot);
        SnapshotInfo old = entry.info();
        SnapshotInfo renamed = new SnapshotInfo(
                old.id(),
                name,
                old.vmStateSizeBytes(),
                old.dateSeconds(),
                old.dateNanos(),
                old.vmClockNanos(),
                old.instructionCount(),
                old.diskSizeBytes());
        try (ExclusiveMetadata exclusive = exclusive()) {
            List<SnapshotEntry> wanted = new ArrayList<>(entries);
            wanted.set(
                    wanted.indexOf(entry),
                    new SnapshotEntry(
                            renamed,
                            entry.l1TableOffset(),
                            entry.l1Entries(),
                            entry.unknownExtra(),
                            entry.id(),
                            bytes(name)));
            NewTable newTable = reserveTable(wanted);
            exclusive.makeCountsDurable();
            switchTable(newTable, wanted);
        }
        return renamed;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** Space for a snapshot table, counted in memory. */
    private record NewTable(long firstCluster, long clusters, long bytes) {}

    private NewTable reserveTable(List<SnapshotEntry> wanted) throws BlockException {
        long bytes = SnapshotTable.encode(wanted).length;
        long clusters = geometry.clustersFor(bytes);
        return new NewTable(clusters == 0 ? 0 : context.allocator().allocateTable(clusters), clusters, bytes);
    }

    private long reserveL1(int length) throws BlockException {
        long clusters = geometry.clustersFor(length * 8L);
        return clusters == 0 ? 0 : geometry.clusterOffset(context.allocator().allocateTable(clusters));
    }

    private void releaseTable(long hostOffset, long bytes) throws BlockException {
        if (bytes > 0) {
            context.allocator().release(geometry.clusterIndex(hostOffset), geometry.clustersFor(bytes));
        }
    }

    /** Writes the new table, makes it durable with all written before, and puts it in force with the header's sector. */
    private void switchTable(NewTable newTable, List<SnapshotEntry> wanted) throws BlockException {
        long oldOffset = tableOffset;
        long oldBytes = tableBytes;
        putInForce(newTable, wanted);
        if (oldBytes > 0) {
            long first = geometry.clusterIndex(oldOffset);
            long clusters = geometry.clustersFor(oldBytes);
            context.allocator().release(first, clusters);
            Quarantine freed = new Quarantine();
            freed.add(first, clusters, Discard.SNAPSHOT);
            writeBack.punchFree(freed.take());
        }
    }

    private void putInForce(NewTable newTable, List<SnapshotEntry> wanted) throws BlockException {
        long offset = geometry.clusterOffset(newTable.firstCluster());
        if (newTable.clusters() > 0) {
            file.write(offset, MemorySegment.ofArray(SnapshotTable.encode(wanted)));
        }
        file.flush();
        context.header().setSnapshots(offset, wanted.size());
        context.header().write(file);
        file.flush();
        entries = Collections.unmodifiableList(new ArrayList<>(wanted));
        index = null;
        tableGivenUp = false;
        tableOffset = offset;
        tableBytes = newTable.bytes();
        context.overlaps().forget();
    }

    private ExclusiveMetadata exclusive() throws BlockException {
        return new ExclusiveMetadata(context, writeBack);
    }
}
