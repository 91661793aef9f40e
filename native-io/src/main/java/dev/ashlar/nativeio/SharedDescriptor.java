package dev.ashlar.nativeio;

import dev.ashlar.nativeio.syscall.Platform;
import dev.ashlar.nativeio.syscall.SystemCall;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A file descriptor that several calls and operations use at once, given back to the kernel when it has been closed <em>and</em> the last
 * of them has ended: none meets a number that stands for another file by then. Any thread; nothing waits.
 */
final class SharedDescriptor {
    private static final int CLOSED = Integer.MIN_VALUE;

    private final int number;

    /** Number of calls and operations under way; {@link #CLOSED} is added by close. */
    private final AtomicInteger users = new AtomicInteger();

    /** @param number belongs to this object from now on */
    SharedDescriptor(int number) {
        this.number = number;
    }

    /** What the kernel knows it by; to be used only between {@link #acquire} and {@link #release}. */
    int number() {
        return number;
    }

    boolean isClosed() {
        return users.get() < 0;
    }

    /** Keeps the descriptor open until {@link #release}; false if it has been closed. */
    boolean acquire() {
        int seen;
        do {
            seen = users.get();
            if (seen < 0) {
                return false;
            }
        } while (!users.compareAndSet(seen, seen + 1));
        return true;
    }

    /** Ends one {@link #acquire}. */
    void release() {
        if (users.decrementAndGet() == CLOSED) {
            giveBack();
        }
    }

    /** Lets nobody acquire it any more. Closing again does nothing. */
    void close() {
        int seen;
        do {
            seen = users.get();
            if (seen < 0) {
                return;
            }
        } while (!users.compareAndSet(seen, seen + CLOSED));
        if (seen == 0) {
            giveBack();
        }
    }

    private void giveBack() {
        // Linux frees the descriptor even when close fails or is interrupted: never again.
        SystemCall.invoke(Platform.CLOSE, number, 0, 0, 0, 0, 0);
    }
}
