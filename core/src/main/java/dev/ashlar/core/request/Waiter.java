package dev.ashlar.core.request;

/**
 * A thread that waits for a change of a {@link RequestTracker}. It puts itself into the tracker's list under the lock, lets go of the
 * lock and sleeps; whoever changes something takes the whole list and wakes all, who look again.
 *
 * <p>An interrupt ends no wait; it is kept and set again by {@link #restoreInterrupt} (C1).
 */
final class Waiter {
    private static final long FIRST_NANOS = 20_000;
    private static final long LONGEST_NANOS = 10_000_000;

    private final Thread thread = Thread.currentThread();
    private volatile boolean signalled;
    private boolean interrupted;
    private long pollNanos = FIRST_NANOS;

    /** In the tracker's list; guarded by its lock. */
    boolean listed;

    /** To be called under the tracker's lock, before the condition is looked at for the last time. */
    void arm() {
        signalled = false;
    }

    /**
     * Sleeps until {@link #signal}.
     *
     * @param polling for no longer than a little, and longer each time: what is waited for may come to pass without a signal
     */
    void sleep(boolean polling) {
        if (polling && !signalled) {
            // Back too early is no harm: the caller looks, and comes again.
            Parking.parkNanos(this, pollNanos);
            pollNanos = Math.min(2 * pollNanos, LONGEST_NANOS);
            interrupted |= Thread.interrupted();
            return;
        }
        while (!signalled) {
            Parking.park(this);
            interrupted |= Thread.interrupted();
        }
    }

    void signal() {
        signalled = true;
        Parking.unpark(thread);
    }

    void restoreInterrupt() {
        if (interrupted) {
            interrupted = false;
            thread.interrupt();
        }
    }
}
