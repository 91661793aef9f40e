package dev.ashlar.nativeio;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.ashlar.nativeio.syscall.Platform;
import dev.ashlar.nativeio.syscall.SystemCall;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Lets any thread end a wait for a ring: an event counter that the ring keeps a read in flight on.
 *
 * <p>{@link #signal} and {@link #signalAlways} belong to any thread, the rest to the ring's owner.
 *
 * @see <a href="https://man7.org/linux/man-pages/man2/eventfd.2.html">eventfd(2)</a>
 */
final class RingWakeup {
    private static final int EFD_CLOEXEC = Platform.O_CLOEXEC;

    private final LinuxFile counter;

    /** First word: where the ring reads to. Second word: the one that is written. */
    private final MemorySegment words;

    private final AtomicBoolean signalled = new AtomicBoolean();
    private boolean armed;
    private boolean arrived;

    private RingWakeup(LinuxFile counter, MemorySegment words) {
        this.counter = counter;
        this.words = words;
    }

    static RingWakeup open() throws ErrnoException {
        long descriptor = SystemCall.invoke(Platform.EVENTFD2, 0, EFD_CLOEXEC, 0, 0, 0, 0);
        if (descriptor < 0) {
            throw new ErrnoException("eventfd", (int) -descriptor, "");
        }
        MemorySegment words = Arena.ofAuto().allocate(JAVA_LONG, 2);
        words.setAtIndex(JAVA_LONG, 1, 1);
        return new RingWakeup(LinuxFile.ofDescriptor((int) descriptor, "eventfd"), words);
    }

    /** Makes the read complete, unless an earlier signal has not been noticed yet. */
    void signal() {
        if (signalled.compareAndSet(false, true)) {
            signalAlways();
        }
    }

    void signalAlways() {
        if (counter.acquire()) {
            try {
                MemorySegment one = words.asSlice(JAVA_LONG.byteSize());
                SystemCall.restarting(Platform.WRITE, counter.descriptor(), one, JAVA_LONG.byteSize(), 0, 0);
            } finally {
                counter.release();
            }
        }
    }

    int descriptor() {
        return counter.descriptor();
    }

    long buffer() {
        return words.address();
    }

    /** Whether a read of the counter is in flight. */
    boolean isArmed() {
        return armed;
    }

    void setArmed() {
        armed = true;
    }

    /** The read has completed. */
    void arrived() {
        armed = false;
        arrived = true;
    }

    boolean hasArrived() {
        return arrived;
    }

    /** Begins to listen for the next signal, once this one has been acted on. */
    void forget() {
        if (arrived) {
            arrived = false;
            signalled.set(false);
        }
    }

    void close() {
        counter.close();
    }
}
