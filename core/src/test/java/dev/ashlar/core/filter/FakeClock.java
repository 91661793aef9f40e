package dev.ashlar.core.filter;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;

/** A clock that stands until it is set. */
final class FakeClock implements ThrottleClock {
    private final AtomicLong now = new AtomicLong(1_000_000_000L);

    @Override
    public long nanoTime() {
        return now.get();
    }

    @Override
    @SuppressWarnings("WaitNotInLoop") // The caller loops.
    public void await(Condition condition, long nanos) throws InterruptedException {
        condition.await();
    }

    void advance(ThrottleGroup group, long nanos) {
        now.addAndGet(nanos);
        group.timePassed();
    }
}
