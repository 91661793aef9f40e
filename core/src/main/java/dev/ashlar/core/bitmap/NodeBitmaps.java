package dev.ashlar.core.bitmap;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BitmapStore;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The dirty bitmaps of one node. Any thread. Drains nothing by itself: where a bitmap must begin at one instant with others, or with a
 * snapshot, the caller creates them in one drained section.
 */
public final class NodeBitmaps {
    /** Smallest granularity. */
    public static final long MIN_GRANULARITY_BYTES = 512;

    /** Largest granularity. */
    public static final long MAX_GRANULARITY_BYTES = 1L << 31;

    /** Longest name, in bytes of UTF-8. */
    public static final int MAX_NAME_BYTES = 1023;

    private static final long DEFAULT_MIN_BYTES = 4 << 10;
    private static final long DEFAULT_MAX_BYTES = 64 << 10;

    /** What the bitmaps need to know of their node. */
    public interface Disk {
        /** Name of the node, for messages. */
        String name();

        /** Virtual size in bytes. */
        long lengthBytes() throws BlockException;

        /** Cluster size of the format that holds the content, 0 if there is none. */
        long clusterBytes() throws BlockException;

        /** The driver's way to store bitmaps. */
        Optional<BitmapStore> store();
    }

    private final ReentrantLock lock = new ReentrantLock();
    private @Nullable Disk disk;

    // Guarded by the lock.
    private final Map<String, DirtyBitmap> named = new LinkedHashMap<>();
    private final Set<DirtyBitmap> anonymous = new LinkedHashSet<>();

    /** The bitmaps that writes are recorded in; null while there is none, which is all that a write looks at then. */
    private volatile DirtyBitmap @Nullable [] recording;

    /** Bitmaps of a node that is being made; {@link #attach} tells of it. */
    public NodeBitmaps() {}

    /** For core, once, before users know the node. */
    public void attach(Disk node) {
        disk = node;
    }

    /** As {@link #create(String, long)}, with the granularity that suits the node. */
    public DirtyBitmap create(@Nullable String name) throws BlockException {
        return create(name, defaultGranularityBytes());
    }

    /**
     * Adds a bitmap that records writes, all clean.
     *
     * @param name unique among the node's bitmaps; null for an anonymous one
     * @param granularityBytes bytes per bit, a power of two from 512 to 2 GiB
     * @throws BlockException INVALID for name or granularity; EXISTS; TOO_LARGE if it would have too many bits
     */
    public DirtyBitmap create(@Nullable String name, long granularityBytes) throws BlockException {
        if (name != null) {
            requireName(name);
        }
        requireGranularity(granularityBytes);
        long sizeBytes = disk().lengthBytes();
        requireMemory(sizeBytes, granularityBytes);
        lock.lock();
        try {
            if (name != null && named.containsKey(name)) {
                throw new BlockException(Kind.EXISTS, "Bitmap already exists: " + name);
            }
            DirtyBitmap bitmap = new DirtyBitmap(this, name, granularityBytes, sizeBytes);
            add(bitmap);
            stateChanged();
            return bitmap;
        } finally {
            lock.unlock();
        }
    }

    /**
     * As {@link #create(String, long)}, for a bitmap that the image keeps: it is stored when the image is closed.
     *
     * @throws BlockException UNSUPPORTED where the format can't, or what the format has against it
     */
    public DirtyBitmap createPersistent(String name, long granularityBytes) throws BlockException {
        requireName(name);
        requireGranularity(granularityBytes);
        Optional<BitmapStore> store = disk().store();
        if (store.isEmpty()) {
            throw new BlockException(
                    Kind.UNSUPPORTED,
                    "Can't store persistent bitmaps to " + disk().name() + ": Operation not supported");
        }
        if (find(name).isEmpty()) {
            try {
                store.get().requireRoomFor(name, granularityBytes);
            } catch (BlockException e) {
                String refused = "Can't make bitmap '" + name + "' persistent in '" + disk().name() + "': ";
                throw new BlockException(e.kind(), refused + e.getMessage(), e.reason(), e);
            }
        }
        DirtyBitmap bitmap = create(name, granularityBytes);
        bitmap.state().persistent = true;
        return bitmap;
    }

    private static void requireName(String name) throws BlockException {
        if (name.isEmpty()) {
            throw new BlockException(Kind.INVALID, "Bitmap name cannot be empty");
        }
        if (name.getBytes(StandardCharsets.UTF_8).length > MAX_NAME_BYTES) {
            throw new BlockException(Kind.INVALID, "Bitmap name too long: " + name);
        }
    }

    private static void requireGranularity(long granularityBytes) throws BlockException {
        if (granularityBytes < MIN_GRANULARITY_BYTES
                || granularityBytes > MAX_GRANULARITY_BYTES
                || Long.bitCount(granularityBytes) != 1) {
            throw new BlockException(Kind.INVALID, "Granularity must be power of 2 and at least 512");
        }
    }

    private static void requireMemory(long sizeBytes, long granularityBytes) throws BlockException {
        if (DirtyBitmap.bitsFor(sizeBytes, Long.numberOfTrailingZeros(granularityBytes)) > DirtyBits.MAX_BITS) {
            throw new BlockException(
                    Kind.TOO_LARGE, "Too much space will be occupied by the bitmap. Use larger granularity");
        }
    }

    /** Cluster size of the content's format, within 4 and 64 KiB; 64 KiB where there are no clusters. */
    public long defaultGranularityBytes() throws BlockException {
        long cluster = disk().clusterBytes();
        return cluster <= 0 ? DEFAULT_MAX_BYTES : Math.min(DEFAULT_MAX_BYTES, Math.max(DEFAULT_MIN_BYTES, cluster));
    }

    /** The bitmap of that name. */
    public Optional<DirtyBitmap> find(String name) {
        lock.lock();
        try {
            return Optional.ofNullable(named.get(name));
        } finally {
            lock.unlock();
        }
    }

    /** The bitmap of that name. @throws BlockException NOT_FOUND */
    public DirtyBitmap require(String name) throws BlockException {
        Optional<DirtyBitmap> found = find(name);
        if (found.isEmpty()) {
            throw new BlockException(Kind.NOT_FOUND, "Dirty bitmap '" + name + "' not found");
        }
        return found.get();
    }

    /** All bitmaps, those with names first, oldest first. */
    public List<DirtyBitmap> list() {
        lock.lock();
        try {
            List<DirtyBitmap> all = new ArrayList<>(named.values());
            all.addAll(anonymous);
            return List.copyOf(all);
        } finally {
            lock.unlock();
        }
    }

    /** Whether there is none of any kind: only then does a snapshot's content replace the live one. */
    public boolean isEmpty() {
        lock.lock();
        try {
            return named.isEmpty() && anonymous.isEmpty();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Removes a bitmap, from the image as well if it is stored there; then the node is drained.
     *
     * @throws BlockException BUSY; READ_ONLY; or the driver's failure, and then nothing has changed
     */
    public void remove(DirtyBitmap bitmap) throws BlockException {
        bitmap.state().requireNot(BitmapState.Bar.BUSY);
        bitmap.state().requireNot(BitmapState.Bar.READ_ONLY);
        String name = bitmap.name();
        Optional<BitmapStore> store = disk().store();
        if (bitmap.isPersistent() && name != null && store.isPresent()) {
            store.get().removeStored(name);
        }
        release(bitmap);
    }

    /** Takes a bitmap out of the list, whatever the image keeps of it. For drivers that are closed, and for operations that end. */
    public void release(DirtyBitmap bitmap) {
        lock.lock();
        try {
            forget(bitmap);
            stateChanged();
        } finally {
            lock.unlock();
        }
    }

    /**
     * For drivers: adds a bitmap that the image keeps, all clean until its bits are {@linkplain DirtyBitmap#load loaded}. It records only
     * from {@link #loaded} on.
     *
     * @param enabled whether it shall record
     * @param inconsistent whether the image was written without keeping it up to date
     * @throws BlockException EXISTS; TOO_LARGE
     */
    public DirtyBitmap addStored(
            String name, long granularityBytes, long sizeBytes, boolean enabled, boolean inconsistent)
            throws BlockException {
        requireMemory(sizeBytes, granularityBytes);
        lock.lock();
        try {
            if (named.containsKey(name)) {
                throw new BlockException(Kind.EXISTS, "Bitmap already exists: " + name);
            }
            DirtyBitmap bitmap = new DirtyBitmap(this, name, granularityBytes, sizeBytes);
            bitmap.state().restore(enabled, inconsistent);
            add(bitmap);
            return bitmap;
        } finally {
            lock.unlock();
        }
    }

    /** For drivers: all that the image keeps is here now. @param readOnly whether the image can't be written */
    public void loaded(boolean readOnly) {
        lock.lock();
        try {
            for (DirtyBitmap bitmap : named.values()) {
                if (bitmap.isPersistent()) {
                    bitmap.state().readOnly = readOnly;
                }
            }
            stateChanged();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Records a write, zeroing or discard. Called by the data plane after it was done or failed, before the request ends.
     *
     * @param end behind the last byte
     */
    @SuppressWarnings("ReferenceEquality") // Each change makes a new array.
    public void written(long offset, long end) {
        DirtyBitmap[] all = recording;
        while (all != null) {
            for (DirtyBitmap bitmap : all) {
                bitmap.written(offset, end);
            }
            DirtyBitmap[] now = recording;
            if (now == all) {
                return;
            }
            // A bitmap took the place of another meanwhile and may have been merged already.
            all = now;
        }
    }

    /** Asked before the node's size changes. @throws BlockException BUSY while an operation uses a bitmap; TOO_LARGE */
    public void requireResizable(long lengthBytes) throws BlockException {
        for (DirtyBitmap bitmap : list()) {
            bitmap.state().requireNot(BitmapState.Bar.BUSY);
            if (!bitmap.fits(lengthBytes)) {
                throw new BlockException(
                        Kind.TOO_LARGE, "Too much space will be occupied by the bitmap. Use larger granularity");
            }
        }
    }

    /** The node has that size now. What is new is clean. */
    public void resize(long lengthBytes) {
        lock.lock();
        try {
            for (DirtyBitmap bitmap : list()) {
                bitmap.resize(lengthBytes);
            }
            stateChanged();
        } finally {
            lock.unlock();
        }
    }

    // For DirtyBitmap.

    ReentrantLock lock() {
        return lock;
    }

    /** A write reached behind the end that the bitmaps know of: the file has grown. */
    void grow(long end) {
        lock.lock();
        try {
            for (DirtyBitmap bitmap : list()) {
                if (bitmap.sizeBytes() < end) {
                    bitmap.resize(end);
                }
            }
            stateChanged();
        } finally {
            lock.unlock();
        }
    }

    DirtyBitmap addAnonymous(long granularityBytes, long sizeBytes) {
        DirtyBitmap bitmap = new DirtyBitmap(this, null, granularityBytes, sizeBytes);
        add(bitmap);
        return bitmap;
    }

    void add(DirtyBitmap bitmap) {
        String name = bitmap.name();
        if (name == null) {
            anonymous.add(bitmap);
        } else {
            named.put(name, bitmap);
        }
    }

    void forget(DirtyBitmap bitmap) {
        String name = bitmap.name();
        if (name == null) {
            anonymous.remove(bitmap);
        } else {
            named.remove(name, bitmap);
        }
    }

    /** Finds anew who records. Under the lock. */
    void stateChanged() {
        List<DirtyBitmap> on = new ArrayList<>();
        for (DirtyBitmap bitmap : named.values()) {
            if (bitmap.state().records()) {
                on.add(bitmap);
            }
        }
        for (DirtyBitmap bitmap : anonymous) {
            if (bitmap.state().records()) {
                on.add(bitmap);
            }
        }
        recording = on.isEmpty() ? null : on.toArray(new DirtyBitmap[0]);
    }

    private Disk disk() {
        Disk node = disk;
        if (node == null) {
            throw new IllegalStateException("these bitmaps belong to no node yet");
        }
        return node;
    }
}
