package dev.ashlar.drivers.qcow2.bitmap;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.core.bitmap.NodeBitmaps;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator.Run;
import dev.ashlar.drivers.qcow2.alloc.MetadataClass;
import dev.ashlar.drivers.qcow2.alloc.MetadataRegions;
import dev.ashlar.drivers.qcow2.format.BitmapDirectory;
import dev.ashlar.drivers.qcow2.format.BitmapEntry;
import dev.ashlar.drivers.qcow2.format.BitmapExtension;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.metadata.WriteBack;
import dev.ashlar.drivers.qcow2.snapshot.ExclusiveMetadata;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The bitmaps of one image, from its opening to its closing.
 *
 * <pre>
 *   opened to be written:   loaded
 *   before the first write: in_use in all directory entries, F            a crash from here on: known to be out of date
 *   closed:                 bits, tables and directory in new clusters, counted, F; the extension names them, F; the old ones uncounted
 * </pre>
 *
 * An image that is opened and not written keeps its bitmaps as they are. Bitmaps that were in use when the image was opened are inconsistent and
 * kept as they are until someone removes them. The autoclear bit stays set: this driver keeps bitmaps up to date.
 */
public final class StoredBitmaps {
    private final MetadataContext context;
    private final WriteBack writeBack;
    private final ImageFile file;
    private final ClusterGeometry geometry;
    private final BitmapHeader header;
    private final int version;
    private final boolean readOnly;
    /** Guards the marking; taken before the locks of the metadata. */
    private final ReentrantLock lock = new ReentrantLock();

    private volatile @Nullable BitmapExtension extension;
    private volatile List<BitmapEntry> entries;
    /** Whether entries must be marked as in use before anything is written. */
    private volatile boolean unmarked;

    private volatile @Nullable NodeBitmaps bitmaps;

    private StoredBitmaps(
            MetadataContext context,
            WriteBack writeBack,
            int version,
            boolean readOnly,
            @Nullable BitmapExtension extension,
            List<BitmapEntry> entries) {
        this.context = context;
        this.writeBack = writeBack;
        this.file = context.file();
        this.geometry = context.geometry();
        this.header = new BitmapHeader(file, context.header());
        this.version = version;
        this.readOnly = readOnly;
        this.extension = extension;
        this.entries = entries;
        this.unmarked = !readOnly && anyToMark(entries);
        context.setBitmapRegions(this::collectRegions);
        context.setBitmapExtension(extension);
    }

    /**
     * Reads the directory.
     *
     * @param lenient what is wrong with it is left to a check
     * @throws BlockException CORRUPT
     */
    public static StoredBitmaps open(
            MetadataContext context, WriteBack writeBack, Qcow2Header header, boolean readOnly, boolean lenient)
            throws BlockException {
        BitmapExtension extension = null;
        List<BitmapEntry> entries = List.of();
        try {
            BitmapExtension.validate(header);
            extension = BitmapExtension.of(header);
            if (extension != null) {
                entries = readDirectory(context.file(), extension, header);
            }
        } catch (BlockException e) {
            if (!lenient) {
                throw e;
            }
            extension = BitmapExtension.of(header);
        }
        return new StoredBitmaps(context, writeBack, header.version(), readOnly, extension, entries);
    }

    private static List<BitmapEntry> readDirectory(ImageFile file, BitmapExtension extension, Qcow2Header header)
            throws BlockException {
        if (extension.directoryBytes() == 0) {
            throw new BlockException(Kind.CORRUPT, "Requested bitmap directory size is zero");
        }
        if (extension.directoryOffset() > file.lengthBytes() - extension.directoryBytes()) {
            throw new BlockException(Kind.CORRUPT, "Failed to read bitmap directory: Input/output error");
        }
        MemorySegment directory = file.store().view(extension.directoryOffset(), extension.directoryBytes());
        return BitmapDirectory.parse(directory, extension.count(), header.sizeBytes(), header.geometry());
    }

    private static boolean anyToMark(List<BitmapEntry> entries) {
        for (BitmapEntry entry : entries) {
            if (!entry.isInUse()) {
                return true;
            }
        }
        return false;
    }

    /** The directory as it is on disk, in its order. */
    public List<BitmapEntry> entries() {
        return entries;
    }

    private void collectRegions(MetadataRegions.Builder builder) {
        BitmapExtension now = extension;
        if (now == null) {
            return;
        }
        builder.add(MetadataClass.BITMAP_DIRECTORY, now.directoryOffset(), now.directoryBytes());
        for (BitmapEntry entry : entries) {
            builder.add(entry.tableOffset(), 8 * entry.tableEntries());
        }
    }

    /** An extension that a program without bitmaps made void is dropped. Called when the image is opened to be written. */
    public void dropVoidExtension(Qcow2Header asOpened) throws BlockException {
        if (version >= 3 && extension == null && BitmapExtension.find(asOpened) != null) {
            header.remove();
        }
    }

    /** Adds the bitmaps to those of the node. Those it has already, from before the image was closed for a moment, stay as they are. */
    public void load(NodeBitmaps into, long diskBytes) throws BlockException {
        bitmaps = into;
        BitmapTables tables = new BitmapTables(file);
        Set<DirtyBitmap> added = new HashSet<>();
        boolean done = false;
        try {
            for (BitmapEntry entry : entries) {
                DirtyBitmap known = into.find(entry.name()).orElse(null);
                if (known != null && known.isPersistent() && !added.contains(known)) {
                    continue;
                }
                DirtyBitmap bitmap = into.addStored(
                        entry.name(), entry.granularityBytes(), diskBytes, entry.isAuto(), !entry.isUsable());
                added.add(bitmap);
                if (entry.isUsable()) {
                    tables.load(entry, bitmap);
                }
            }
            done = true;
        } finally {
            if (!done) {
                for (DirtyBitmap bitmap : added) {
                    into.release(bitmap);
                }
            }
        }
        into.loaded(readOnly);
    }

    /** Whether {@link #beforeWrite} has something to do. Any thread, at any time. */
    public boolean mustMark() {
        return unmarked;
    }

    /** Marks bitmaps as in use, durably, before the image changes for the first time. Holds no lock of the metadata. */
    public void beforeWrite() throws BlockException {
        if (!unmarked) {
            return;
        }
        lock.lock();
        try {
            BitmapExtension now = extension;
            if (!unmarked || now == null) {
                return;
            }
            MemorySegment directory = MemorySegment.ofArray(new byte[(int) now.directoryBytes()]);
            file.store().read(now.directoryOffset(), directory);
            List<BitmapEntry> marked = new ArrayList<>(entries.size());
            long at = 0;
            for (BitmapEntry entry : entries) {
                BitmapEntry inUse = entry.withFlags(entry.flags() | BitmapEntry.IN_USE);
                // Entries are multiples of 8 long, so flags never lie in two sectors: each is marked or not, whatever
                // tears.
                Bits.putU32(directory, at + BitmapDirectory.FLAGS_AT, inUse.flags());
                marked.add(inUse);
                at += entry.encodedBytes();
            }
            file.write(now.directoryOffset(), directory);
            file.flush();
            entries = List.copyOf(marked);
            unmarked = false;
        } finally {
            lock.unlock();
        }
    }

    /** @throws BlockException why one more bitmap can't be stored */
    public void requireRoomFor(String name, long granularityBytes, long diskBytes) throws BlockException {
        if (version < 3) {
            throw new BlockException(Kind.UNSUPPORTED, "Cannot store dirty bitmaps in qcow2 v2 files");
        }
        requireStorable("", name, granularityBytes, diskBytes);
        Map<String, Long> sizes = new LinkedHashMap<>();
        for (BitmapEntry entry : entries) {
            sizes.put(entry.name(), entry.encodedBytes());
        }
        for (DirtyBitmap bitmap : persistent()) {
            String other = bitmap.name();
            if (other != null) {
                sizes.putIfAbsent(other, BitmapEntry.encodedBytes(0, rawName(other).length));
            }
        }
        if (sizes.size() >= BitmapExtension.MAX_BITMAPS) {
            throw new BlockException(Kind.TOO_LARGE, "Maximum number of persistent bitmaps is already reached");
        }
        long sum = BitmapEntry.encodedBytes(0, rawName(name).length);
        for (long bytes : sizes.values()) {
            sum += bytes;
        }
        if (sum > BitmapExtension.MAX_DIRECTORY_BYTES) {
            throw new BlockException(Kind.TOO_LARGE, "Not enough space in the bitmap directory");
        }
    }

    private void requireStorable(String prefix, String name, long granularityBytes, long diskBytes)
            throws BlockException {
        long bytes = BitmapEntry.bytesFor(diskBytes, Long.numberOfTrailingZeros(granularityBytes));
        if (bytes > BitmapEntry.MAX_BITMAP_BYTES) {
            throw new BlockException(
                    Kind.TOO_LARGE, prefix + "Too much space will be occupied by the bitmap. Use larger granularity");
        }
        if (rawName(name).length > BitmapEntry.MAX_NAME_BYTES) {
            throw new BlockException(
                    Kind.INVALID,
                    prefix + "Name length exceeds maximum (" + BitmapEntry.MAX_NAME_BYTES + " characters)");
        }
    }

    /** Before the disk's size changes: bitmaps change with it, so all must be here and fit to be changed. */
    public void beforeResize() throws BlockException {
        NodeBitmaps loaded = bitmaps;
        for (BitmapEntry entry : entries) {
            DirtyBitmap bitmap =
                    loaded == null ? null : loaded.find(entry.name()).orElse(null);
            if (bitmap == null) {
                throw new BlockException(
                        Kind.UNSUPPORTED,
                        "Cannot resize qcow2 with persistent bitmaps that were not loaded into memory");
            }
            bitmap.requireUsable();
        }
        beforeWrite();
    }

    /** Removes a bitmap from the image; nothing if it is not there. On a drained node. */
    public void remove(String name) throws BlockException {
        List<BitmapEntry> kept = new ArrayList<>();
        BitmapEntry gone = null;
        for (BitmapEntry entry : entries) {
            if (gone == null && entry.name().equals(name)) {
                gone = entry;
            } else {
                kept.add(entry);
            }
        }
        if (gone == null) {
            return;
        }
        lock.lock();
        try (ExclusiveMetadata exclusive = new ExclusiveMetadata(context, writeBack)) {
            List<Run> old = new BitmapTables(file).clusters(gone);
            switchDirectory(exclusive, kept, old);
            unmarked = anyToMark(kept);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Stores what has changed and says that all bitmaps are up to date. Called when the image is closed, on a drained node.
     *
     * @throws BlockException if that fails; the image is as after a crash then: sound, its bitmaps in use
     */
    public void store() throws BlockException {
        NodeBitmaps loaded = bitmaps;
        if (readOnly || loaded == null) {
            return;
        }
        Map<String, DirtyBitmap> wanted = new LinkedHashMap<>();
        for (DirtyBitmap bitmap : persistent()) {
            String name = bitmap.name();
            if (name != null && !bitmap.isInconsistent() && !bitmap.isReadOnly()) {
                if (bitmap.hasSuccessor()) {
                    // The operation ends with the image: what it would have left to do comes back.
                    bitmap.reclaim();
                }
                wanted.put(name, bitmap);
            }
        }
        if (!needsStoring(wanted)) {
            return;
        }
        lock.lock();
        try (ExclusiveMetadata exclusive = new ExclusiveMetadata(context, writeBack)) {
            store(exclusive, wanted);
        } finally {
            lock.unlock();
        }
        for (DirtyBitmap bitmap : wanted.values()) {
            bitmap.markStored();
        }
    }

    /** Whether the image differs from what is in memory: marked as in use, changed, or new. */
    private boolean needsStoring(Map<String, DirtyBitmap> wanted) {
        int found = 0;
        for (BitmapEntry entry : entries) {
            DirtyBitmap bitmap = wanted.get(entry.name());
            if (bitmap != null) {
                found++;
                if (entry.isInUse() || bitmap.isChanged()) {
                    return true;
                }
            }
        }
        return found < wanted.size();
    }

    private void store(ExclusiveMetadata exclusive, Map<String, DirtyBitmap> wanted) throws BlockException {
        List<BitmapEntry> fresh = new ArrayList<>();
        List<Run> old = new ArrayList<>();
        BitmapTables tables = new BitmapTables(file);
        List<BitmapEntry> written = new ArrayList<>();
        boolean switched = false;
        try {
            Map<String, DirtyBitmap> left = new LinkedHashMap<>(wanted);
            for (BitmapEntry entry : entries) {
                DirtyBitmap bitmap = left.remove(entry.name());
                if (bitmap == null) {
                    fresh.add(entry);
                } else if (bitmap.isChanged()) {
                    BitmapEntry again = write(tables, bitmap, entry.rawName());
                    written.add(again);
                    fresh.add(withExtra(again, entry));
                    old.addAll(tables.clusters(entry));
                } else {
                    fresh.add(entry.withFlags(entry.flags() & ~BitmapEntry.IN_USE));
                }
            }
            for (Map.Entry<String, DirtyBitmap> added : left.entrySet()) {
                BitmapEntry entry = write(tables, added.getValue(), rawName(added.getKey()));
                written.add(entry);
                fresh.add(entry);
            }
            requireRoom(fresh);
            switchDirectory(exclusive, fresh, old);
            switched = true;
        } finally {
            if (!switched && !file.isFailed()) {
                release(tables, written);
            }
        }
        unmarked = anyToMark(fresh);
    }

    private BitmapEntry write(BitmapTables tables, DirtyBitmap bitmap, byte[] rawName) throws BlockException {
        String name = new String(rawName, StandardCharsets.UTF_8);
        requireStorable(
                "Bitmap '" + name + "' doesn't satisfy the constraints: ",
                name,
                bitmap.granularityBytes(),
                bitmap.sizeBytes());
        return tables.write(bitmap, rawName, context.allocator());
    }

    private static BitmapEntry withExtra(BitmapEntry written, BitmapEntry before) {
        return new BitmapEntry(
                written.tableOffset(),
                written.tableEntries(),
                written.flags() | (before.flags() & BitmapEntry.EXTRA_DATA_COMPATIBLE),
                written.granularityBits(),
                before.extra(),
                before.rawName());
    }

    private static void requireRoom(List<BitmapEntry> fresh) throws BlockException {
        if (fresh.size() > BitmapExtension.MAX_BITMAPS) {
            throw new BlockException(Kind.TOO_LARGE, "Too many persistent bitmaps");
        }
        if (BitmapDirectory.encodedBytes(fresh) > BitmapExtension.MAX_DIRECTORY_BYTES) {
            throw new BlockException(Kind.TOO_LARGE, "Bitmap directory is too large");
        }
    }

    /** What was written and is not named by anything goes back; the switch did not happen. */
    private void release(BitmapTables tables, List<BitmapEntry> written) throws BlockException {
        for (BitmapEntry entry : written) {
            for (Run run : tables.clusters(entry)) {
                context.allocator().release(run.firstCluster(), run.count());
            }
        }
    }

    /**
     * Writes a new directory, puts it in force and uncounts what is no longer named.
     *
     * @param old clusters of bitmaps that are not in the new directory as they were; those of the old directory are added
     */
    private void switchDirectory(ExclusiveMetadata exclusive, List<BitmapEntry> fresh, List<Run> old)
            throws BlockException {
        BitmapExtension before = extension;
        BitmapExtension now = fresh.isEmpty() ? null : writeDirectory(fresh);
        exclusive.makeCountsDurable();
        if (now == null) {
            header.remove();
        } else {
            try {
                header.put(now);
            } catch (BlockException e) {
                if (!file.isFailed() && e.kind() == Kind.NO_SPACE) {
                    releaseDirectory(now);
                }
                throw e;
            }
        }
        if (before != null) {
            old.add(new Run(
                    geometry.clusterIndex(before.directoryOffset()), geometry.clustersFor(before.directoryBytes())));
        }
        extension = now;
        context.setBitmapExtension(now);
        entries = List.copyOf(fresh);
        // RC-: written when the locks are given back, durable with the next flush.
        try {
            for (Run run : old) {
                context.allocator().release(run.firstCluster(), run.count());
            }
        } catch (BlockException e) {
            file.fail(e);
            throw e;
        }
    }

    private BitmapExtension writeDirectory(List<BitmapEntry> fresh) throws BlockException {
        MemorySegment bytes = MemorySegment.ofArray(BitmapDirectory.encode(fresh));
        long first = context.allocator().allocateTable(geometry.clustersFor(bytes.byteSize()));
        file.write(geometry.clusterOffset(first), bytes);
        return new BitmapExtension(fresh.size(), bytes.byteSize(), geometry.clusterOffset(first));
    }

    private void releaseDirectory(BitmapExtension unused) throws BlockException {
        context.allocator()
                .release(
                        geometry.clusterIndex(unused.directoryOffset()), geometry.clustersFor(unused.directoryBytes()));
    }

    private List<DirtyBitmap> persistent() {
        NodeBitmaps loaded = bitmaps;
        List<DirtyBitmap> persistent = new ArrayList<>();
        if (loaded != null) {
            for (DirtyBitmap bitmap : loaded.list()) {
                if (bitmap.isPersistent()) {
                    persistent.add(bitmap);
                }
            }
        }
        return persistent;
    }

    private static byte[] rawName(String name) {
        return name.getBytes(StandardCharsets.UTF_8);
    }
}
