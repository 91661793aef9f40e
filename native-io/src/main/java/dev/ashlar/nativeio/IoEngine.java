package dev.ashlar.nativeio;

import java.lang.foreign.MemorySegment;

/**
 * Keeps a bounded number of file operations in flight.
 *
 * <p>An operation is <em>prepared</em> with a token, <em>submitted</em> together with others, and
 * <em>consumed</em> when its completion is handed to a {@link CompletionConsumer}. Operations of
 * one engine are not ordered: a flush covers only what was consumed before it was submitted. A
 * transfer may be shorter than asked, as {@code pread} may; reads are short at the end of the file.
 *
 * <p>Each {@code prepare} method returns false, having done nothing, when {@link #capacity}
 * operations are in flight already; it never blocks. Bad arguments raise {@link
 * IllegalArgumentException}; whatever else is wrong with an operation, a closed file for instance,
 * is the result of its completion.
 *
 * <p>Memory: from {@code prepare} until the completion is consumed the buffer belongs to the
 * engine, which keeps it reachable. A buffer from an arena that is closed by hand must not be
 * closed before; nothing can prevent that, and the kernel would write into memory that has another
 * owner.
 *
 * <p>Threads: one owner at a time, see {@link EngineOwnership}; only {@link #wakeup} may be called
 * by any thread. Waiting and, in the synchronous engine, submitting block in the kernel and pin the
 * carrier of a virtual thread.
 */
public interface IoEngine extends AutoCloseable {
    /** Largest number of operations in flight. */
    int capacity();

    /** Number of operations prepared and not yet consumed. */
    int inFlight();

    /**
     * Whether operations run beside each other in the kernel, rather than one by one inside {@link
     * #submit}.
     */
    boolean isAsynchronous();

    /** Prepares a read of {@code buffer.byteSize()} bytes; see the method with six parameters. */
    default boolean prepareRead(LinuxFile file, long fileOffset, MemorySegment buffer, long token) {
        return prepareRead(file, fileOffset, buffer, 0, Math.toIntExact(buffer.byteSize()), token);
    }

    /**
     * Prepares a read into a part of a buffer.
     *
     * @param fileOffset where in the file, at least 0
     * @param buffer native, writable memory
     * @param bufferOffset first byte of the buffer to fill
     * @param lengthBytes most bytes to read
     * @param token handed to the consumer
     */
    boolean prepareRead(
            LinuxFile file, long fileOffset, MemorySegment buffer, long bufferOffset, int lengthBytes, long token);

    /** Prepares a write of {@code buffer.byteSize()} bytes; see the method with six parameters. */
    default boolean prepareWrite(LinuxFile file, long fileOffset, MemorySegment buffer, long token) {
        return prepareWrite(file, fileOffset, buffer, 0, Math.toIntExact(buffer.byteSize()), token);
    }

    /** Prepares a write from a part of a buffer; parameters as with {@link #prepareRead}. */
    boolean prepareWrite(
            LinuxFile file, long fileOffset, MemorySegment buffer, long bufferOffset, int lengthBytes, long token);

    /**
     * Prepares a read into several pieces of memory. The vector must not change until the completion
     * is consumed.
     */
    boolean prepareReadv(LinuxFile file, long fileOffset, IoVector vector, long token);

    /**
     * Prepares a write from several pieces of memory. The vector must not change until the completion
     * is consumed.
     */
    boolean prepareWritev(LinuxFile file, long fileOffset, IoVector vector, long token);

    /** Prepares an {@link LinuxFile#fdatasync}. */
    boolean prepareFdatasync(LinuxFile file, long token);

    /** Prepares an {@link LinuxFile#fsync}. */
    boolean prepareFsync(LinuxFile file, long token);

    /** Prepares a {@link LinuxFile#fallocate}. */
    boolean prepareFallocate(LinuxFile file, FallocateMode mode, long fileOffset, long lengthBytes, long token);

    /** Prepares an operation that does nothing and completes with 0. */
    boolean prepareNop(long token);

    /**
     * Asks that an operation in flight be given up. It still completes, with {@code -ECANCELED} or as
     * if nobody had asked.
     *
     * @return whether an operation with this token is in flight
     */
    boolean cancel(long token);

    /**
     * Hands all prepared operations to the kernel, without waiting for asynchronous ones.
     *
     * @return number of operations handed over; fewer than prepared when the kernel is short of
     *     memory or completions have to be consumed first
     */
    int submit() throws ErrnoException;

    /** Hands completions that have arrived to the consumer, without waiting. Returns their number. */
    int poll(CompletionConsumer consumer) throws ErrnoException;

    /**
     * Submits what is prepared, then waits until {@code minCompletions} operations, or all that are
     * in flight if they are fewer, have been handed to the consumer.
     *
     * @return number of completions handed over, possibly more than asked
     */
    int await(int minCompletions, CompletionConsumer consumer) throws ErrnoException;

    /**
     * As {@link #await}, but also ends when {@link #wakeup} is called or time is up, and waits for these two when nothing is
     * in flight.
     *
     * @param timeoutNanos longest time to wait, at least 0; {@link Long#MAX_VALUE} means without limit
     * @return number of completions handed over, fewer than asked after a wake-up or at the end of the time
     */
    int awaitOrWakeup(int minCompletions, long timeoutNanos, CompletionConsumer consumer) throws ErrnoException;

    /**
     * Ends a running {@link #awaitOrWakeup}, or the next one at once. Several calls count as one. May be
     * called by any thread, also after {@link #close}.
     */
    void wakeup();

    /**
     * Makes operations on a file cheaper until {@link #unregister} or {@link #close}. The file's
     * descriptor is not given back, and its locks do not end, while it is registered.
     *
     * @return whether the engine has taken it; operations work either way
     */
    boolean register(LinuxFile file);

    /** Ends {@link #register}; does nothing for a file that is not registered. */
    void unregister(LinuxFile file);

    /**
     * Makes reads and writes in these regions of native memory cheaper, instead of those named by an
     * earlier call. The regions stay reachable until the next call or {@link #close}, and must not be
     * freed before. No operation may be in flight.
     *
     * @param regions up to 16 regions; none ends the registration
     * @return whether the engine has taken them; operations work either way
     */
    boolean registerBuffers(MemorySegment... regions);

    /**
     * Waits for all operations in flight, drops their completions and ends the engine. Closing again
     * does nothing.
     */
    @Override
    void close();
}
