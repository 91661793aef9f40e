package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import java.lang.foreign.MemorySegment;

/**
 * An asynchronous submission and completion queue on one protocol instance, used by one thread at a time (but for {@link
 * #wakeup}). A buffer belongs to the queue from the call that takes it until its completion has been handed out.
 */
public interface IoQueue extends AutoCloseable {
    /** Most operations that can be under way, including those not yet submitted. */
    int capacity();

    /** Operations taken and not yet handed out as completed. */
    int inFlight();

    /** Takes a read; offset, length and address obey the limits. @return false when the queue is full */
    boolean read(long offset, MemorySegment destination, long token);

    /** Takes a write. @return false when the queue is full */
    boolean write(long offset, MemorySegment source, long token);

    /** Takes a flush; it covers the writes whose completions were handed out before. @return false when full */
    boolean flush(long token);

    /** Hands what was taken to the kernel. @return how many operations that were */
    int submit() throws BlockException;

    /**
     * Submits, waits for at least {@code minimum} completions (0: does not wait) or a {@link #wakeup}, and hands out all
     * that are there.
     *
     * @return how many completions were handed out
     */
    int await(int minimum, CompletionSink sink) throws BlockException;

    /** Makes a present or the next {@link #await} return early. Any thread. */
    void wakeup();

    /** Waits for what is under way, drops the completions. */
    @Override
    void close() throws BlockException;

    /** Takes completions; called on the thread that awaits. */
    @FunctionalInterface
    interface CompletionSink {
        /**
         * @param token as given with the operation
         * @param result bytes moved (a read past the end of the file may be short), 0 for a flush, or a negative errno
         */
        void completed(long token, int result);
    }
}
