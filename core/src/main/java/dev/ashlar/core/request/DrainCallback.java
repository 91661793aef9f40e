package dev.ashlar.core.request;

/**
 * The time in which a driver is told that a drain begins or ends. It runs under the graph's lock, so whoever would wait or change the
 * graph there is refused (D5).
 */
public final class DrainCallback {
    private static final ThreadLocal<Boolean> RUNNING = new ThreadLocal<>();

    private DrainCallback() {}

    /** Runs a callback. */
    public static void run(Runnable callback) {
        RUNNING.set(Boolean.TRUE);
        try {
            callback.run();
        } finally {
            RUNNING.remove();
        }
    }

    public static boolean isRunning() {
        return RUNNING.get() != null;
    }

    /** @throws IllegalStateException if the calling thread runs a callback */
    public static void refuse(String what) {
        if (isRunning()) {
            throw new IllegalStateException(what + " from a driver that is told of a drain (D5)");
        }
    }
}
