package dev.ashlar.core.request;

import java.util.concurrent.locks.LockSupport;

/** Waiting and waking of threads, of those that are led from outside as well ({@link SteppedThread}). */
public final class Parking {
    private Parking() {}

    /** As {@link LockSupport#park(Object)}. */
    public static void park(Object blocker) {
        if (Thread.currentThread() instanceof SteppedThread stepped) {
            stepped.pause(false);
        } else {
            LockSupport.park(blocker);
        }
    }

    /** As {@link LockSupport#parkNanos(Object, long)}. */
    public static void parkNanos(Object blocker, long nanos) {
        if (Thread.currentThread() instanceof SteppedThread stepped) {
            stepped.pause(true);
        } else {
            LockSupport.parkNanos(blocker, nanos);
        }
    }

    /** As {@link LockSupport#unpark}. */
    public static void unpark(Thread thread) {
        if (thread instanceof SteppedThread stepped) {
            stepped.wake();
        } else {
            LockSupport.unpark(thread);
        }
    }

    /** To be called with no lock held, before one of the control plane is taken. */
    public static void step() {
        if (Thread.currentThread() instanceof SteppedThread stepped) {
            stepped.step();
        }
    }

    /** Whether the calling thread must never wait in a way that is not this class's. */
    public static boolean isStepped() {
        return Thread.currentThread() instanceof SteppedThread;
    }
}
