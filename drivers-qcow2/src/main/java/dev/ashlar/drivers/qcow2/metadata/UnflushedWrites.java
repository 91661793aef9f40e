package dev.ashlar.drivers.qcow2.metadata;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * For assertions of the write order: which threads have written metadata that no flush of their own has covered yet. The steps of one operation are one thread's. Empty
 * where assertions are off; every method answers true unless it says otherwise, so that it can stand in one.
 */
final class UnflushedWrites {
    private final Set<Thread> threads = ConcurrentHashMap.newKeySet();

    boolean written() {
        threads.add(Thread.currentThread());
        return true;
    }

    boolean flushed() {
        threads.remove(Thread.currentThread());
        return true;
    }

    /** Whether all that the calling thread has written is durable. */
    boolean isNoneOfMine() {
        return !threads.contains(Thread.currentThread());
    }
}
