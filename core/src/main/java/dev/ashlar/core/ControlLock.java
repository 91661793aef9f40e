package dev.ashlar.core;

import dev.ashlar.core.request.DrainCallback;
import dev.ashlar.core.request.Parking;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Lets one control operation (resize, snapshot, check, close) of a node run at a time; held while it waits for I/O. Reentrant. An interrupt
 * ends no wait and stays pending.
 *
 * <p>A thread that waits leaves the queue now and then and looks for itself: the lock may have been offered to a virtual thread that finds
 * no carrier, and then stands free (C2).
 */
final class ControlLock {
    private static final long PATIENCE_MILLIS = 5;

    private final ReentrantLock lock = new ReentrantLock();

    void lock() {
        DrainCallback.refuse("a control operation or a change of the graph");
        Parking.step();
        boolean interrupted = false;
        while (!lock.tryLock()) {
            if (Parking.isStepped()) {
                Parking.parkNanos(this, TimeUnit.MILLISECONDS.toNanos(PATIENCE_MILLIS));
                interrupted |= Thread.interrupted();
                continue;
            }
            try {
                if (lock.tryLock(PATIENCE_MILLIS, TimeUnit.MILLISECONDS)) {
                    break;
                }
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    boolean tryLock() {
        DrainCallback.refuse("a control operation");
        return lock.tryLock();
    }

    void unlock() {
        lock.unlock();
    }

    boolean isHeldByThisThread() {
        return lock.isHeldByCurrentThread();
    }
}
