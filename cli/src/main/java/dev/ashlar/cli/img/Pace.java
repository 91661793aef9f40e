package dev.ashlar.cli.img;

import java.util.concurrent.locks.LockSupport;

/** Keeps a copy to a rate ({@code -r}): who has moved bytes waits until they were due. Any thread. */
final class Pace {
    private static final long NANOS_PER_SECOND = 1_000_000_000L;

    private final long bytesPerSecond;
    private final long startNanos = System.nanoTime();
    private long movedBytes;

    /** @param bytesPerSecond 0 for no limit */
    Pace(long bytesPerSecond) {
        this.bytesPerSecond = bytesPerSecond;
    }

    /** To be called after bytes were moved. May return early: the next call makes up for it. */
    void moved(long lengthBytes) {
        if (bytesPerSecond == 0 || lengthBytes == 0) {
            return;
        }
        double dueSeconds;
        synchronized (this) {
            movedBytes += lengthBytes;
            dueSeconds = (double) movedBytes / bytesPerSecond;
        }
        long left = (long) (dueSeconds * NANOS_PER_SECOND) - (System.nanoTime() - startNanos);
        if (left > 0) {
            LockSupport.parkNanos(left);
        }
    }
}
