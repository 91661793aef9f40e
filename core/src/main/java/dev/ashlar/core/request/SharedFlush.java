package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The flushes of one node, one at a time. A flush covers exactly what had completed before it was asked for; callers that arrive while one
 * runs share the next. After one that failed none succeeds (F1).
 */
final class SharedFlush {
    private final Layer layer;
    private final ReentrantLock lock = new ReentrantLock();
    private final AtomicLong asked = new AtomicLong();

    /** Calls up to this one are covered by a flush that succeeded; guarded by the lock. */
    private long done;

    SharedFlush(Layer layer) {
        this.layer = layer;
    }

    /** Returns when a flush that began after the call has ended; at once on a read-only node. @throws BlockException of the flush, or of what failed before */
    void run() throws BlockException {
        long ticket = asked.incrementAndGet();
        FailStop failStop = layer.failStop();
        lock.lock();
        try {
            failStop.check();
            if (done >= ticket || layer.isReadOnly()) {
                return;
            }
            long covered = asked.get();
            layer.flushInstance();
            // A metadata write may have failed meanwhile without the flush noticing.
            failStop.check();
            done = covered;
        } catch (BlockException e) {
            failStop.fail(e);
            throw e;
        } finally {
            lock.unlock();
        }
    }
}
