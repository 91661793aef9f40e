package dev.ashlar.core.filter;

import dev.ashlar.core.spi.IoQueue;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** Operations on a disk that stores nothing: each completes a fixed time after it was taken, so in order. */
final class NullQueue implements IoQueue {
    private final NullDisk disk;
    private final long[] tokens;
    private final long[] dueNanos;
    private final int[] results;
    private int head;
    private int count;
    private int unsubmitted;

    private volatile boolean woken;
    private volatile @Nullable Thread waiter;

    NullQueue(NullDisk disk, int capacity) {
        this.disk = disk;
        this.tokens = new long[capacity];
        this.dueNanos = new long[capacity];
        this.results = new int[capacity];
    }

    @Override
    public int capacity() {
        return tokens.length;
    }

    @Override
    public int inFlight() {
        return count;
    }

    @Override
    public boolean read(long offset, MemorySegment destination, long token) {
        if (count == tokens.length) {
            return false;
        }
        disk.fill(destination);
        return take(token, (int) destination.byteSize());
    }

    @Override
    public boolean write(long offset, MemorySegment source, long token) {
        return take(token, (int) source.byteSize());
    }

    @Override
    public boolean flush(long token) {
        return take(token, 0);
    }

    private boolean take(long token, int result) {
        if (count == tokens.length) {
            return false;
        }
        int at = (head + count) % tokens.length;
        tokens[at] = token;
        results[at] = result;
        dueNanos[at] = System.nanoTime() + disk.latencyNanos();
        count++;
        unsubmitted++;
        return true;
    }

    @Override
    public int submit() {
        int submitted = unsubmitted;
        unsubmitted = 0;
        return submitted;
    }

    @Override
    public int await(int minimum, CompletionSink sink) {
        submit();
        waiter = Thread.currentThread();
        int done = 0;
        boolean interrupted = false;
        try {
            while (true) {
                long now = System.nanoTime();
                // The sink may take new operations; those wait for the next call.
                for (int present = count; present > 0 && dueNanos[head] - now <= 0; present--) {
                    long token = tokens[head];
                    int result = results[head];
                    head = (head + 1) % tokens.length;
                    count--;
                    done++;
                    sink.completed(token, result);
                }
                if (done >= minimum || woken || (count == 0 && done > 0)) {
                    return done;
                }
                if (count == 0) {
                    LockSupport.park(this);
                } else {
                    LockSupport.parkNanos(this, dueNanos[head] - System.nanoTime());
                }
                interrupted |= Thread.interrupted();
            }
        } finally {
            woken = false;
            waiter = null;
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    @Override
    public void wakeup() {
        woken = true;
        Thread thread = waiter;
        if (thread != null) {
            LockSupport.unpark(thread);
        }
    }

    @Override
    public void close() {
        while (count > 0) {
            await(count, (token, result) -> {});
        }
    }
}
