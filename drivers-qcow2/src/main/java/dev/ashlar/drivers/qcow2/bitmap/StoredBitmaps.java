package dev.ashlar.drivers.qcow2.bitmap;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.core.bitmap.NodeBitmaps;
import dev.ashlar.core.spi.PrintableName;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator.Run;
import dev.ashlar.drivers.qcow2.format.BitmapEntry;
import dev.ashlar.drivers.qcow2.format.BitmapExtension;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.metadata.WriteBack;
import dev.ashlar.drivers.qcow2.snapshot.ExclusiveMetadata;
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
    private final StoredDirectory directory;
    private final int version;
    private final boolean readOnly;
    /** The image is opened to be checked: its bitmaps are looked at, not loaded. */
    private final boolean checking;

    /** Guards the marking; taken before the locks of the metadata. */
    private final ReentrantLock lock = new ReentrantLock();

    /** Whether entries must be marked as in use before anything is written. */
    private volatile boolean unmarked;

    private volatile @Nullable NodeBitmaps bitmaps;

    private StoredBitmaps(
            MetadataContext context,
            WriteBack writeBack,
            int version,
            boolean readOnly,
            boolean checking,
            StoredDirectory directory) {
        this.checking = checking;
        this.context = context;
        this.writeBack = writeBack;
        this.file = context.file();
        this.version = version;
        this.readOnly = readOnly;
        this.directory = directory;
        this.unmarked = !readOnly && anyToMark(directory.entries());
    }

    /**
     * Reads the directory.
     *
     * @param checking what is wrong with it is found when bitmaps are loaded, and by a check
     * @throws BlockException CORRUPT
     */
    public static StoredBitmaps open(
            MetadataContext context, WriteBack writeBack, Qcow2Header header, boolean readOnly, boolean checking)
            throws BlockException {
        StoredDirectory directory = StoredDirectory.open(context, header, checking);
        return new StoredBitmaps(context, writeBack, header.version(), readOnly, checking, directory);
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
        return directory.entries();
    }

    /** An extension that a program without bitmaps made void is dropped. Called when the image is opened to be written. */
    public void dropVoidExtension(Qcow2Header asOpened) throws BlockException {
        if (version >= 3) {
            directory.dropVoid(asOpened);
        }
    }

    /**
     * Adds the bitmaps to those of the node; of an image that is checked, only looks whether they could be. Those it has already,
     * from before the image was closed for a moment, stay as they are.
     */
    public void load(NodeBitmaps into, long diskBytes) throws BlockException {
        directory.requireUsable();
        BitmapTables tables = new BitmapTables(file);
        if (checking) {
            requireLoadable(tables, diskBytes);
            return;
        }
        bitmaps = into;
        Set<DirtyBitmap> added = new HashSet<>();
        boolean done = false;
        try {
            for (BitmapEntry entry : directory.entries()) {
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

    private void requireLoadable(BitmapTables tables, long diskBytes) throws BlockException {
        Set<String> names = new HashSet<>();
        for (BitmapEntry entry : entries()) {
            if (!names.add(entry.name())) {
                throw new BlockException(Kind.EXISTS, "Bitmap already exists: " + PrintableName.of(entry.name()));
            }
            if (entry.isUsable()) {
                tables.requireSound(entry, diskBytes);
            }
        }
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
            if (!unmarked) {
                return;
            }
            directory.markInUse();
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
        BitmapLimits.requireStorable("", name, granularityBytes, diskBytes);
        Map<String, Long> sizes = new LinkedHashMap<>();
        for (BitmapEntry entry : directory.entries()) {
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

    /** Before the disk's size changes: bitmaps change with it, so all must be here and fit to be changed. */
    public void beforeResize(long lengthBytes) throws BlockException {
        if (lengthBytes == 0 && (!directory.entries().isEmpty() || !persistent().isEmpty())) {
            // a table of no entries is one that no program opens
            throw new BlockException(Kind.UNSUPPORTED, "Cannot shrink qcow2 with persistent bitmaps to 0 bytes");
        }
        NodeBitmaps loaded = bitmaps;
        for (BitmapEntry entry : directory.entries()) {
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
        for (BitmapEntry entry : directory.entries()) {
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
            directory.replace(exclusive, kept, old);
            unmarked = anyToMark(kept);
        } finally {
            lock.unlock();
        }
    }

    /** Removes all of them, one after the other: the image is about to be of a version that has none. On a drained node. */
    public void removeAll() throws BlockException {
        for (BitmapEntry entry : entries()) {
            remove(entry.name());
        }
        NodeBitmaps loaded = bitmaps;
        for (DirtyBitmap each : persistent()) {
            if (loaded != null) {
                loaded.release(each);
            }
        }
    }

    /**
     * Stores what has changed and says that all bitmaps are up to date. Called when the image is closed, on a drained node.
     *
     * @throws BlockException if that fails; the image is as after a crash then: sound, its bitmaps in use
     */
    public void store() throws BlockException {
        NodeBitmaps loaded = bitmaps;
        if (readOnly || loaded == null || version < 3) {
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
        for (BitmapEntry entry : directory.entries()) {
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
            for (BitmapEntry entry : directory.entries()) {
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
            BitmapLimits.requireRoom(fresh);
            directory.replace(exclusive, fresh, old);
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
        BitmapLimits.requireStorable(
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

    /** What was written and is not named by anything goes back; the switch did not happen. */
    private void release(BitmapTables tables, List<BitmapEntry> written) throws BlockException {
        for (BitmapEntry entry : written) {
            for (Run run : tables.clusters(entry)) {
                context.allocator().release(run.firstCluster(), run.count());
            }
        }
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
