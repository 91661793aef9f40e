package dev.ashlar.core.filter;

import java.util.concurrent.locks.Condition;

/** The time by which a group throttles; a test has one that it sets by hand. */
interface ThrottleClock {
    /** The system's monotonic clock. */
    ThrottleClock SYSTEM = new ThrottleClock() {
        @Override
        public long nanoTime() {
            return System.nanoTime();
        }

        @Override
        @SuppressWarnings("WaitNotInLoop") // The caller loops.
        public void await(Condition condition, long nanos) throws InterruptedException {
            long left = condition.awaitNanos(nanos);
            assert left <= nanos;
        }
    };

    long nanoTime();

    /** Waits for a signal, at most that long; may return early. Called with the lock of the condition held. */
    void await(Condition condition, long nanos) throws InterruptedException;
}
