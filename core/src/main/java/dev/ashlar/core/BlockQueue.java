package dev.ashlar.core;

import dev.ashlar.core.request.RequestQueue;
import dev.ashlar.core.spi.IoQueue;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * A submission and completion queue on a {@link BlockBackend}, owned by one thread: the first that uses it.
 *
 * <p><b>Hit path.</b> A read or write whose place is known without I/O (metadata in memory, cluster allocated) and whose offset, length and
 * buffer are aligned goes straight to the ring of the file: no lock, no allocation, no other thread. Everything else is done by a
 * virtual thread and completes into the same queue. Requests that overlap and are under way together have no order.
 *
 * <p><b>Buffers.</b> From the call that takes a request until its completion has been handed out the buffer belongs to the queue; it must
 * stay allocated (C1). A buffer confined to the owner's thread works, off the hit path at the price of a copy.
 *
 * <p><b>Drains.</b> While the node is drained requests are taken but not started; after the drain they start in order of arrival, at the
 * owner's next call. A drain waits for completions to be taken: another thread's drain ends only if the owner goes on calling
 * {@link #await}. The owner may drain by itself; completions are kept for its next await.
 */
public final class BlockQueue implements AutoCloseable {
    /** Largest depth. */
    public static final int MAX_DEPTH = 4096;

    private final BlockBackend backend;
    private final RequestQueue queue;
    private boolean closed;

    private BlockQueue(BlockBackend backend, RequestQueue queue) {
        this.backend = backend;
        this.queue = queue;
    }

    static BlockQueue open(BlockBackend backend, int depth) throws BlockException {
        if (depth < 1 || depth > MAX_DEPTH) {
            throw new IllegalArgumentException("depth " + depth);
        }
        return new BlockQueue(backend, new RequestQueue(backend::layer, backend.route(), depth));
    }

    /** Most requests that can be under way. */
    public int depth() {
        return queue.depth();
    }

    /** Requests taken and not yet handed out as completed. */
    public int inFlight() {
        return queue.inFlight();
    }

    /**
     * Takes a read of {@code destination.byteSize()} bytes.
     *
     * @param token handed out with the completion
     * @return false when the queue is full; nothing happened then
     * @throws BlockException CLOSED; whatever else goes wrong is the result of the completion
     */
    public boolean read(long offset, MemorySegment destination, long token) throws BlockException {
        return queue.read(offset, destination, token);
    }

    /** Takes a write, as {@link #read}. @throws BlockException also READ_ONLY, of a user attached for reading */
    public boolean write(long offset, MemorySegment source, long token) throws BlockException {
        backend.requireWriter();
        return queue.write(offset, source, token);
    }

    /** Takes a flush. It covers the writes whose completions were handed out before (F1). */
    public boolean flush(long token) throws BlockException {
        return queue.flush(token);
    }

    /** Hands what was taken to the kernel; does not wait. @return how many requests that were */
    public int submit() throws BlockException {
        return queue.submit();
    }

    /**
     * Submits, waits until at least {@code minimum} completions were handed out, and hands out all that are there. Returns with fewer
     * when nothing is under way any more. An interrupt does not end the wait; it stays pending.
     *
     * @param sink called on this thread with token and result: bytes moved (always all of them), 0 for a flush, or a negative errno
     *     value, whose reason {@link #takeFailure} tells. It may take new requests into the queue
     * @return how many completions were handed out
     */
    public int await(int minimum, IoQueue.CompletionSink sink) throws BlockException {
        return queue.await(minimum, sink);
    }

    /** Why the completion with that token failed, once; only the latest failures are kept, one per place of the queue. */
    public Optional<BlockException> takeFailure(long token) {
        return Optional.ofNullable(queue.takeFailure(token));
    }

    /** Waits for what is under way and drops the completions. What is held back by a drain is never started. */
    @Override
    public void close() throws BlockException {
        if (!closed) {
            closed = true;
            try {
                queue.close();
            } finally {
                backend.queueClosed();
            }
        }
    }
}
