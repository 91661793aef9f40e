package dev.ashlar.core.request;

import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * A lock for sections of a few loads and stores that never wait, in which control code must not get stuck (C2).
 *
 * <p>There is no queue on purpose. A queued lock hands over to the thread at the head of its queue; if that is a virtual thread and all
 * carriers are busy, the lock stands free and nobody else may have it. Here whoever runs and finds the lock free takes it. A thread that
 * does not get it spins, then yields, then sleeps for microseconds. Not reentrant.
 */
public final class BriefLock {
    private static final int SPINS = 64;
    private static final int YIELDS = 16;
    private static final long SLEEP_NANOS = 20_000;

    private final AtomicReference<@Nullable Thread> owner = new AtomicReference<>();

    /** Takes the lock. An interrupt does not matter. */
    public void lock() {
        Thread me = Thread.currentThread();
        if (!owner.compareAndSet(null, me)) {
            contend(me);
        }
    }

    /** Gives the lock back. */
    public void unlock() {
        assert isHeldByThisThread();
        owner.setRelease(null);
    }

    public boolean isHeld() {
        return owner.get() != null;
    }

    public boolean isHeldByThisThread() {
        return owner.getPlain() == Thread.currentThread();
    }

    private void contend(Thread me) {
        if (isHeldByThisThread()) {
            throw new IllegalStateException("the lock is held by this thread already");
        }
        int round = 0;
        while (owner.get() != null || !owner.compareAndSet(null, me)) {
            round++;
            if (round < SPINS && !Parking.isStepped()) {
                Thread.onSpinWait();
            } else if (round < SPINS + YIELDS && !Parking.isStepped()) {
                Thread.yield();
            } else {
                Parking.parkNanos(this, SLEEP_NANOS);
            }
        }
    }
}
