package dev.ashlar.core.request;

/**
 * A thread that is led from outside: it goes on when it is told to, so that whoever leads several of them chooses each interleaving. Tests
 * are the only ones to have such threads; code that is about to wait or to take a lock of the control plane asks {@link Parking}, the
 * hot path does not.
 */
public interface SteppedThread {
    /** A point at which others may go on first. */
    void step();

    /**
     * Waits, as {@link java.util.concurrent.locks.LockSupport#park}.
     *
     * @param timed whether to come back without being woken, at some time
     */
    void pause(boolean timed);

    /** Ends the wait, or the next one. Any thread. */
    void wake();
}
