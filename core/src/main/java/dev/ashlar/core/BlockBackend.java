package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.request.Layer;
import dev.ashlar.core.request.Origin;
import dev.ashlar.core.request.RouteChanged;
import dev.ashlar.core.snapshot.Snapshots;
import dev.ashlar.core.spi.Amendable;
import dev.ashlar.core.spi.BackingChangeable;
import dev.ashlar.core.spi.CheckProgress;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable;
import dev.ashlar.core.spi.Emptiable;
import dev.ashlar.core.spi.FormatInfo;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.KeySlotCapable;
import dev.ashlar.core.spi.Preallocation;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.DoubleConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A user's attachment to a node: the blocking face of the block layer. Any number of threads; at home on virtual threads.
 *
 * <p>Offsets and lengths are bytes and need no alignment, buffers may be of any kind; aligned ones (see {@link BlockLimits}) go to
 * the host without a copy. A range that does not lie within the node is refused with {@link Kind#OUT_OF_BOUNDS}. While the
 * node is drained, requests wait. An interrupt does not end a request early.
 */
public final class BlockBackend implements AutoCloseable {
    private final BlockGraph graph;
    private final ChildEdge edge;
    private final Route route;
    private final boolean formatGuessed;
    private final ImageControl image = new ImageControl(this);
    private final AtomicBoolean closed = new AtomicBoolean();
    private final AtomicInteger openQueues = new AtomicInteger();

    BlockBackend(BlockGraph graph, ChildEdge edge, boolean formatGuessed) {
        this.graph = graph;
        this.edge = edge;
        this.route = new Route(edge);
        this.formatGuessed = formatGuessed;
    }

    /** Virtual size in bytes. */
    public long lengthBytes() throws BlockException {
        return layer().lengthBytes();
    }

    /** The name under which the image was opened. */
    public String fileName() {
        return root().fileName();
    }

    /** Name of the driver of the topmost node. */
    public String formatName() {
        return root().driverName();
    }

    /**
     * Whether the format was not given and nothing in the file spoke for one. Writes that would make such a disk look like an
     * image are refused with {@link Kind#PERMISSION}.
     */
    public boolean isFormatGuessed() {
        return formatGuessed;
    }

    /** Whether this user's writes are refused: he was attached for reading, or the node is read-only. */
    public boolean isReadOnly() {
        return edge.isReader() || layer().isReadOnly();
    }

    /** What requests and buffers should look like to go through without a copy. */
    public BlockLimits limits() {
        return layer().limits();
    }

    /** The topmost node. */
    public BlockNode root() {
        return edge.node();
    }

    /** Fills the buffer from {@code offset} on. */
    public void read(long offset, MemorySegment destination) throws BlockException {
        if (destination.isReadOnly()) {
            throw new IllegalArgumentException("the buffer of a read is read-only");
        }
        checkRange(offset, destination.byteSize());
        while (true) {
            try {
                layer().read(offset, destination, route);
                return;
            } catch (RouteChanged e) {
                // Once more, where the user is now.
            }
        }
    }

    /** Writes the buffer. Durable after the next {@link #flush}. */
    public void write(long offset, MemorySegment source) throws BlockException {
        checkRange(offset, source.byteSize());
        requireWriter();
        while (true) {
            try {
                layer().write(offset, source, route);
                return;
            } catch (RouteChanged e) {
                // Once more, where the user is now.
            }
        }
    }

    /** The units in which the image, through the filters above it, keeps compressed data; 0 where it can't keep any. */
    public long compressedUnitBytes() {
        return layer().compressedUnitBytes();
    }

    /**
     * Writes the buffer so that it takes less space: whole clusters of the image, or up to its end. What does not get smaller is written
     * as by {@link #write}. Compresses on the calling thread.
     *
     * @throws BlockException UNSUPPORTED where {@link #compressedUnitBytes} is 0, INVALID for a range of another kind
     */
    public void writeCompressed(long offset, MemorySegment source) throws BlockException {
        try (CompressedContent content = compress(offset, source)) {
            write(content);
        }
    }

    /**
     * Compresses ahead of {@link #write(CompressedContent)}, without touching the image: several threads can compress while one writes.
     *
     * @param source not to be changed before it is written
     * @throws BlockException as {@link #writeCompressed}
     */
    public CompressedContent compress(long offset, MemorySegment source) throws BlockException {
        checkRange(offset, source.byteSize());
        return new CompressedContent(offset, source, layer().compress(offset, source));
    }

    /** Writes what was compressed. The caller closes it. */
    public void write(CompressedContent content) throws BlockException {
        checkRange(content.offset(), content.source().byteSize());
        requireWriter();
        at(layer -> layer.writeCompressed(content.offset(), content.source(), content.prepared(), route));
    }

    /**
     * Makes the range read as zeros.
     *
     * @param mayUnmap space may be given back to the host
     */
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        checkRange(offset, lengthBytes);
        requireWriter();
        at(layer -> layer.writeZeroes(offset, lengthBytes, mayUnmap, route));
    }

    /** Says that the content of the range is not needed. Parts of allocation units stay as they are. */
    public void discard(long offset, long lengthBytes) throws BlockException {
        checkRange(offset, lengthBytes);
        requireWriter();
        at(layer -> layer.discard(offset, lengthBytes, route));
    }

    /** Makes durable every write that had completed before this call (F1). After a failure no write or flush succeeds. */
    public void flush() throws BlockException {
        while (true) {
            try {
                layer().flush(route);
                return;
            } catch (RouteChanged e) {
                // Once more, where the user is now.
            }
        }
    }

    /**
     * How a range starts, looked at through the whole backing chain.
     *
     * @param lengthBytes at least 1
     */
    public BlockStatus status(long offset, long lengthBytes) throws BlockException {
        checkRange(offset, requirePositive(lengthBytes));
        return ask(layer -> layer.status(offset, lengthBytes, 0, route));
    }

    /** As {@link #status}, looking at the topmost layer alone: what it has not allocated reads as zeros. */
    public BlockStatus allocatedHere(long offset, long lengthBytes) throws BlockException {
        checkRange(offset, requirePositive(lengthBytes));
        return ask(layer -> layer.allocatedHere(offset, lengthBytes, route));
    }

    /** Changes the virtual size. New bytes read as zeros. Drains the node. */
    public void resize(long lengthBytes, Preallocation preallocation) throws BlockException {
        if (lengthBytes < 0) {
            throw new IllegalArgumentException("length " + lengthBytes);
        }
        image.resize(lengthBytes, preallocation);
    }

    /**
     * Opens a submission and completion queue.
     *
     * @param depth most requests under way at a time, 1 to {@link BlockQueue#MAX_DEPTH}
     */
    public BlockQueue openQueue(int depth) throws BlockException {
        checkOpen();
        BlockQueue queue = BlockQueue.open(this, depth);
        openQueues.incrementAndGet();
        return queue;
    }

    /** The internal snapshots of the topmost node; a reader can look at them, and change none. */
    public Snapshots snapshots() {
        return Snapshots.of(this);
    }

    /**
     * Checks the image, drained.
     *
     * @param findings takes each finding as it is met, one line of text
     */
    public CheckReport check(Checkable.Repair repair, Consumer<String> findings) throws BlockException {
        return check(repair, findings, CheckProgress.NONE);
    }

    /** As {@link #check(Checkable.Repair, Consumer)}, telling how far it is. */
    public CheckReport check(Checkable.Repair repair, Consumer<String> findings, CheckProgress progress)
            throws BlockException {
        return image.check(repair, findings, progress);
    }

    /**
     * Names another backing file in the image, drained; what is open stays as it is.
     *
     * @param reference null: none
     * @throws BlockException UNSUPPORTED if the format has none, READ_ONLY for a reader; else as {@link BackingChangeable#changeBacking}
     */
    public void changeBacking(@Nullable ImageReference reference) throws BlockException {
        image.change(
                BackingChangeable.class,
                "This image format has no backing files",
                changeable -> changeable.changeBacking(reference));
    }

    /**
     * Gives up all content of the topmost node, drained, so that its backing file shows.
     *
     * @throws BlockException UNSUPPORTED if the format cannot, READ_ONLY for a reader
     */
    public void makeEmpty() throws BlockException {
        image.change(Emptiable.class, "This image format cannot be emptied", Emptiable::makeEmpty);
    }

    /**
     * Adds or erases passphrases of an encrypted image, drained. The secrets that the options name are the graph's.
     *
     * @param options as {@link KeySlotCapable#keySlotOptions} has them
     * @param force as {@link KeySlotCapable#changeKeySlots} says
     */
    public void changeKeySlots(Map<String, String> options, boolean force) throws BlockException {
        image.change(
                KeySlotCapable.class,
                "This image format has no key slots",
                slots -> slots.changeKeySlots(options, force, graph.secrets()));
    }

    /**
     * Changes options of the image, drained; the topmost driver is opened again afterwards.
     *
     * @param options as {@link Amendable#amend}
     * @throws BlockException UNSUPPORTED if the format has none that can change; READ_ONLY for a reader; BUSY while a snapshot is open for reading
     */
    public void amend(Map<String, String> options, DoubleConsumer progress) throws BlockException {
        image.amend(options, progress);
    }

    /** Facts about the image, where the topmost node is one. */
    public Optional<FormatInfo> formatInfo() throws BlockException {
        return root().formatInfo();
    }

    /** Bytes that the host has allocated for the image, backing files not counted; -1 where the host does not tell. */
    public long allocatedBytes() throws BlockException {
        return image.allocatedBytes();
    }

    /** Stops all requests to this node and waits until none is under way. */
    public DrainedSection drain() {
        return root().drain();
    }

    /**
     * Makes everything durable and closes what {@link BlockGraph#open} opened, as far as nobody else uses it. Idempotent.
     *
     * @throws BlockException the first failure; everything is closed all the same
     * @throws IllegalStateException if a queue is still open, or from inside a request of the node (D9)
     */
    @Override
    public void close() throws BlockException {
        if (openQueues.get() > 0) {
            throw new IllegalStateException("a queue of this backend is still open");
        }
        if (!closed.get()) {
            graph.requireOutside(List.of(root()));
        }
        if (closed.compareAndSet(false, true)) {
            graph.lifecycle().detach(this, edge);
        }
    }

    /** Name of the device, where the user has one; else null. */
    public @Nullable String deviceName() {
        return edge.deviceName();
    }

    /** The data plane of the node where this user is at the moment. */
    Layer layer() {
        return edge.node().layer();
    }

    /** Where the requests of this user go. */
    Route route() {
        return route;
    }

    /** Follows the edge of a user. */
    record Route(ChildEdge edge) implements Origin {
        @Override
        public boolean isUser() {
            return true;
        }

        @Override
        public boolean leadsTo(Layer layer) {
            return edge.node().layer() == layer;
        }
    }

    private interface LayerAction {
        void run(Layer layer) throws BlockException;
    }

    private interface LayerQuestion<T> {
        T ask(Layer layer) throws BlockException;
    }

    private void at(LayerAction action) throws BlockException {
        while (true) {
            try {
                action.run(layer());
                return;
            } catch (RouteChanged e) {
                // Once more, where the user is now.
            }
        }
    }

    private <T> T ask(LayerQuestion<T> question) throws BlockException {
        while (true) {
            try {
                return question.ask(layer());
            } catch (RouteChanged e) {
                // Once more, where the user is now.
            }
        }
    }

    void queueClosed() throws BlockException {
        openQueues.decrementAndGet();
        graph.lifecycle().closeLeftovers();
    }

    private void checkOpen() throws BlockException {
        if (closed.get()) {
            throw new BlockException(Kind.CLOSED, "The backend of '" + fileName() + "' is closed");
        }
    }

    /** @throws BlockException READ_ONLY for a user that was attached for reading, be the node writable or not (G5) */
    void requireWriter() throws BlockException {
        if (edge.isReader()) {
            throw new BlockException(Kind.READ_ONLY, "Block backend is read-only");
        }
    }

    private void checkRange(long offset, long lengthBytes) throws BlockException {
        if (offset < 0 || lengthBytes < 0) {
            throw new IllegalArgumentException("range " + offset + "+" + lengthBytes);
        }
        checkOpen();
        if (offset > layer().lengthBytes() - lengthBytes) {
            throw new BlockException(
                    Kind.OUT_OF_BOUNDS,
                    "Request at offset " + offset + " of " + lengthBytes + " bytes reaches beyond the end of '"
                            + fileName() + "'");
        }
    }

    private static long requirePositive(long lengthBytes) {
        if (lengthBytes <= 0) {
            throw new IllegalArgumentException("length " + lengthBytes);
        }
        return lengthBytes;
    }
}
