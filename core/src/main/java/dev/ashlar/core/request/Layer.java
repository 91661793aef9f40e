package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.BlockStatus;
import dev.ashlar.core.bitmap.NodeBitmaps;
import dev.ashlar.core.spi.BitmapStore;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The data plane of one node: takes requests of any offset, length and buffer from any thread, tracks them, pads and bounces
 * them, and passes them to the driver's instance. Calls block.
 *
 * <p>Subclasses say what is particular to a protocol, a format or a filter; their abstract methods are called on tracked requests,
 * aligned to the request alignment.
 */
public abstract sealed class Layer permits ProtocolLayer, FormatLayer, FilterLayer {
    private final String name;
    private final RequestTracker tracker = new RequestTracker();
    private final NodeBitmaps bitmaps = new NodeBitmaps();
    private final FailStop failStop;
    private volatile boolean readOnly;
    private final boolean ignoreFlush;
    private final boolean unmap;
    private final ZeroDetection detection;
    private volatile boolean closed;
    /** Set while the content must not be mistaken for an image by its first bytes. */
    private volatile @Nullable HeadGuard headGuard;

    private final SharedFlush flushes = new SharedFlush(this);

    Layer(String name, LayerMode mode, FailStop failStop) {
        this.name = name;
        this.readOnly = mode.readOnly();
        this.ignoreFlush = mode.ignoreFlush();
        this.unmap = mode.unmap();
        this.detection = mode.detection();
        this.failStop = failStop;
    }

    /** The driver's instance. */
    public abstract DriverInstance instance();

    /** Metadata access for a parent of this node; growth of the file is noticed. */
    public abstract MetadataAccess metadata();

    /** How the range starts, through all layers below. The range is not empty and begins before the end. */
    abstract BlockStatus statusOf(long offset, long lengthBytes, int depth) throws BlockException;

    abstract BlockStatus allocatedOf(long offset, long lengthBytes) throws BlockException;

    abstract void readAligned(long offset, MemorySegment destination) throws BlockException;

    /** Writes without changing where anything lives. @return false: nothing was done, the request must serialise */
    abstract boolean writeInPlace(long offset, MemorySegment source) throws BlockException;

    /** Writes; the request serialises on whole units of {@link #unitBytes}. */
    abstract void writeSerialised(long offset, MemorySegment source) throws BlockException;

    /** Zeros a range, aligned or not; the request serialises. */
    abstract void zeroSerialised(long offset, long lengthBytes, boolean mayUnmap) throws BlockException;

    /** Discards a range, aligned or not, on a node that unmaps; the request serialises. */
    abstract void discardSerialised(long offset, long lengthBytes) throws BlockException;

    /** Whether {@link #writeInPlace} does every write. */
    boolean writesInPlace() {
        return false;
    }

    /** A request came to a point that only debugging filters care about. */
    void event(BlockEvent event, Origin origin) throws BlockException {}

    /** Copies what the backing file answers into this layer; the request serialises. */
    void populateSerialised(long offset, long lengthBytes) throws BlockException {}

    /** What a serialising request is rounded to; a power of two. */
    abstract long unitBytes();

    /** Sets the size; bitmaps follow. Called on a drained node, or by a parent for its own file. */
    public final void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        requireWritable();
        bitmaps.requireResizable(lengthBytes);
        try {
            truncateContent(lengthBytes, preallocation);
        } finally {
            bitmaps.resize(lengthBytes());
        }
    }

    abstract void truncateContent(long lengthBytes, Preallocation preallocation) throws BlockException;

    /** Virtual size in bytes. */
    public abstract long lengthBytes() throws BlockException;

    public final String name() {
        return name;
    }

    public final RequestTracker tracker() {
        return tracker;
    }

    /** The node's dirty bitmaps. */
    public final NodeBitmaps bitmaps() {
        return bitmaps;
    }

    /** Lets the driver add the bitmaps that its image keeps. Called once, before any request, and after each {@link #reopen}. */
    public final void loadBitmaps() throws BlockException {
        Optional<BitmapStore> store = instance().capability(BitmapStore.class);
        if (store.isPresent()) {
            store.get().loadBitmaps(bitmaps);
        }
    }

    public final FailStop failStop() {
        return failStop;
    }

    public final boolean isReadOnly() {
        return readOnly;
    }

    public final boolean isClosed() {
        return closed;
    }

    /**
     * Closes the driver's instance; from now on requests fail. What was written is made durable first. Called once, on a drained
     * node.
     */
    public final void closeInstance() throws BlockException {
        closed = true;
        BlockException failure = null;
        if (!readOnly && !failStop.isFailed()) {
            try {
                flushes.run();
            } catch (BlockException e) {
                failure = e;
            }
        }
        try {
            instance().close();
        } catch (BlockException e) {
            failure = failure == null ? e : failure;
        }
        if (failure != null) {
            throw failure;
        }
    }

    /**
     * Puts a driver's new instance into a node whose old one was closed; requests run again, and an earlier failure is forgotten, as
     * whenever an image is opened. Called on a drained node.
     */
    public final void reopen(DriverInstance fresh) {
        replaceInstance(fresh);
        failStop.reset();
        closed = false;
    }

    abstract void replaceInstance(DriverInstance fresh);

    /** An edge of this node leads to another child now; for what the layer itself keeps of it. Called on a drained node. */
    public void childSwitched(Layer before, Layer fresh) {}

    /** Allows or refuses writes from now on. Called on a drained node. */
    public final void setReadOnly(boolean on) {
        readOnly = on;
    }

    /** Refuses writes after which the content would look like an image of another format. */
    public final void guardHead(HeadGuard guard) {
        headGuard = guard;
    }

    public final BlockLimits limits() {
        return instance().limits();
    }

    /** Fills the buffer; bytes behind the end read as zeros. */
    public final void read(long offset, MemorySegment destination, Origin origin) throws BlockException {
        long length = destination.byteSize();
        if (length == 0) {
            return;
        }
        long end = endOf(offset, length);
        TrackedRequest request = enter(offset, end, origin);
        try {
            requireOpen();
            event(BlockEvent.READ_AIO, origin);
            readUntracked(offset, destination);
        } finally {
            tracker.exit(request);
        }
    }

    /** Writes the buffer. */
    public final void write(long offset, MemorySegment source, Origin origin) throws BlockException {
        long length = source.byteSize();
        if (length == 0) {
            return;
        }
        if (detection != ZeroDetection.OFF && Zeros.isZero(source)) {
            writeZeroes(offset, length, detection == ZeroDetection.UNMAP, origin);
            return;
        }
        long end = endOf(offset, length);
        long alignment = limits().requestAlignmentBytes();
        HeadGuard guard = headGuard;
        boolean guarded = guard != null && guard.concerns(offset);
        if (Alignment.isAligned(offset, length, alignment) && !guarded) {
            TrackedRequest request = enter(offset, end, origin);
            try {
                requireWritable();
                if (writesInPlace()) {
                    event(BlockEvent.WRITE_AIO, origin);
                }
                if (writeInPlaceRecorded(offset, source)) {
                    return;
                }
            } finally {
                tracker.exit(request);
            }
        }
        TrackedRequest request =
                guarded ? serialise(0, Math.max(end, HeadGuard.HEAD_BYTES), origin) : serialise(offset, end, origin);
        try {
            requireWritable();
            if (guard != null && guarded) {
                guard.check(this, offset, source);
            }
            event(BlockEvent.WRITE_AIO, origin);
            try {
                if (Alignment.isAligned(offset, length, alignment)) {
                    writeSerialised(offset, source);
                } else {
                    Padding.write(this, offset, source);
                }
            } finally {
                bitmaps.written(offset, end);
            }
        } finally {
            tracker.exit(request);
        }
    }

    private boolean writeInPlaceRecorded(long offset, MemorySegment source) throws BlockException {
        boolean touched = true;
        try {
            touched = writeInPlace(offset, source);
            return touched;
        } finally {
            // After the bytes are there, before the request ends, and also if it failed: nobody knows what it left.
            if (touched) {
                bitmaps.written(offset, offset + source.byteSize());
            }
        }
    }

    /** The units in which {@link #writeCompressed} takes data; 0 where it takes none. */
    public abstract long compressedUnitBytes();

    /** Does ahead what a compressed write needs no request for. The source is not to be changed before it is written. */
    public PreparedWrite compress(long offset, MemorySegment source) throws BlockException {
        return PreparedWrite.NOTHING;
    }

    /** As {@link #writeCompressed} on a tracked request that serialises. */
    void compressedSerialised(long offset, MemorySegment source, PreparedWrite prepared) throws BlockException {
        throw new BlockException(Kind.UNSUPPORTED, "Block node '" + name + "' can't write compressed data");
    }

    /**
     * Writes whole allocation units, or up to the end of the node, so that they take less space.
     *
     * @param prepared what {@link #compress} made of the same range; if it is of no use any more it is made again
     */
    public final void writeCompressed(long offset, MemorySegment source, PreparedWrite prepared, Origin origin)
            throws BlockException {
        long length = source.byteSize();
        if (length == 0) {
            return;
        }
        TrackedRequest request = serialise(offset, endOf(offset, length), origin);
        try {
            requireWritable();
            event(BlockEvent.WRITE_COMPRESSED, origin);
            try {
                compressedSerialised(offset, source, prepared);
            } finally {
                bitmaps.written(offset, offset + length);
            }
        } finally {
            tracker.exit(request);
        }
    }

    /** Makes the range read as zeros. */
    public final void writeZeroes(long offset, long lengthBytes, boolean mayUnmap, Origin origin)
            throws BlockException {
        if (lengthBytes == 0) {
            return;
        }
        TrackedRequest request = serialise(offset, endOf(offset, lengthBytes), origin);
        try {
            requireWritable();
            try {
                zeroSerialised(offset, lengthBytes, mayUnmap);
            } finally {
                bitmaps.written(offset, offset + lengthBytes);
            }
        } finally {
            tracker.exit(request);
        }
    }

    /** Gives back the space of the whole units in the range. */
    public final void discard(long offset, long lengthBytes, Origin origin) throws BlockException {
        if (lengthBytes == 0) {
            return;
        }
        TrackedRequest request = serialise(offset, endOf(offset, lengthBytes), origin);
        try {
            requireWritable();
            if (unmap) {
                try {
                    discardSerialised(offset, lengthBytes);
                } finally {
                    bitmaps.written(offset, offset + lengthBytes);
                }
            }
        } finally {
            tracker.exit(request);
        }
    }

    /**
     * Makes durable what had completed before (F1). Callers that arrive while a flush runs share the next one. A failure is
     * sticky.
     */
    public final void flush(Origin origin) throws BlockException {
        TrackedRequest request = enter(0, 0, origin);
        try {
            requireOpen();
            flushes.run();
        } finally {
            tracker.exit(request);
        }
    }

    /** As {@link dev.ashlar.core.spi.ChildAccess#populate}. */
    public final void populate(long offset, long lengthBytes, Origin origin) throws BlockException {
        if (lengthBytes == 0) {
            return;
        }
        TrackedRequest request = serialise(offset, endOf(offset, lengthBytes), origin);
        try {
            requireWritable();
            populateSerialised(offset, lengthBytes);
        } finally {
            tracker.exit(request);
        }
    }

    /** How the range starts, through all layers below; the range begins before the end. */
    public final BlockStatus status(long offset, long lengthBytes, int depth, Origin origin) throws BlockException {
        TrackedRequest request = enter(offset, endOf(offset, lengthBytes), origin);
        try {
            requireOpen();
            return statusOf(offset, lengthBytes, depth);
        } finally {
            tracker.exit(request);
        }
    }

    /** As {@link #status}, of this layer alone. */
    public final BlockStatus allocatedHere(long offset, long lengthBytes, Origin origin) throws BlockException {
        TrackedRequest request = enter(offset, endOf(offset, lengthBytes), origin);
        try {
            requireOpen();
            return allocatedOf(offset, lengthBytes);
        } finally {
            tracker.exit(request);
        }
    }

    /** Reads on behalf of a request of this node that is tracked already. */
    final void readUntracked(long offset, MemorySegment destination) throws BlockException {
        long alignment = limits().requestAlignmentBytes();
        if (Alignment.isAligned(offset, destination.byteSize(), alignment)) {
            readAligned(offset, destination);
        } else {
            Padding.read(this, offset, destination);
        }
    }

    final void requireOpen() throws BlockException {
        if (closed) {
            throw new BlockException(Kind.CLOSED, "Block node '" + name + "' is closed");
        }
    }

    /** @throws BlockException if the node is closed, read-only or failed */
    public final void requireWritable() throws BlockException {
        requireOpen();
        if (readOnly) {
            throw new BlockException(Kind.READ_ONLY, "Block node is read-only");
        }
        failStop.check();
    }

    /** Whether a write there needs no closer look than alignment and place. */
    final boolean takesWrites(long offset) {
        HeadGuard guard = headGuard;
        return !readOnly
                && !failStop.isFailed()
                && detection == ZeroDetection.OFF
                && (guard == null || !guard.concerns(offset));
    }

    /** Has the driver make durable what it was given. One call at a time. */
    final void flushInstance() throws BlockException {
        if (!(ignoreFlush && this instanceof ProtocolLayer)) {
            instance().flush();
        }
    }

    private TrackedRequest enter(long start, long end, Origin origin) {
        return confirmed(tracker.enter(start, end, origin), origin);
    }

    /** @throws RouteChanged if the user was led to another node before the request was let in */
    private TrackedRequest confirmed(TrackedRequest request, Origin origin) {
        if (!origin.leadsTo(this)) {
            tracker.exit(request);
            throw new RouteChanged();
        }
        return request;
    }

    private TrackedRequest serialise(long offset, long end, Origin origin) {
        long unit = Math.max(unitBytes(), limits().requestAlignmentBytes());
        return confirmed(
                tracker.enterSerialising(Alignment.down(offset, unit), Alignment.up(end, unit), origin), origin);
    }

    private static long endOf(long offset, long lengthBytes) {
        if (offset < 0 || lengthBytes < 0 || offset > Long.MAX_VALUE - lengthBytes) {
            throw new IllegalArgumentException("range " + offset + "+" + lengthBytes);
        }
        return offset + lengthBytes;
    }
}
