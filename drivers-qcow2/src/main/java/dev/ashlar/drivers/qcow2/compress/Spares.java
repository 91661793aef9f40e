package dev.ashlar.drivers.qcow2.compress;

import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** A few codecs that nobody uses at the moment. What comes back when there are enough, or after the end, is freed. */
final class Spares<T extends AutoCloseable> implements AutoCloseable {
    private static final int MOST = 16;

    private final ArrayDeque<T> free = new ArrayDeque<>();
    private boolean closed;

    synchronized @Nullable T take() {
        return free.pollLast();
    }

    void give(T codec) {
        synchronized (this) {
            if (!closed && free.size() < MOST) {
                free.addLast(codec);
                return;
            }
        }
        end(codec);
    }

    @Override
    public void close() {
        while (true) {
            T codec;
            synchronized (this) {
                closed = true;
                codec = free.pollLast();
            }
            if (codec == null) {
                return;
            }
            end(codec);
        }
    }

    private static void end(AutoCloseable codec) {
        try {
            codec.close();
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }
}
