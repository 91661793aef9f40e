package dev.ashlar.nativeio;

import org.jspecify.annotations.Nullable;

/**
 * What an engine remembers of each operation in flight: the token, and the objects that must stay
 * alive until the completion is consumed.
 *
 * <p>A file that is not registered with the engine counts the operation among its users, so its
 * descriptor cannot be closed, and given to another file, between preparation and completion.
 */
final class OperationSlots {
    private final long[] tokens;
    private final @Nullable Object[] buffers;
    private final @Nullable LinuxFile[] files;
    private final int[] earlyErrors;
    private final boolean[] used;
    private final int[] freeSlots;
    private int freeCount;

    OperationSlots(int capacity) {
        tokens = new long[capacity];
        buffers = new Object[capacity];
        files = new LinuxFile[capacity];
        earlyErrors = new int[capacity];
        used = new boolean[capacity];
        freeSlots = new int[capacity];
        for (int i = 0; i < capacity; i++) {
            freeSlots[i] = capacity - 1 - i;
        }
        freeCount = capacity;
    }

    int capacity() {
        return tokens.length;
    }

    int used() {
        return tokens.length - freeCount;
    }

    boolean isFull() {
        return freeCount == 0;
    }

    /**
     * Takes a slot; there must be one.
     *
     * @param acquired the file whose use ends with the operation, if it counts
     */
    int take(long token, @Nullable Object buffer, @Nullable LinuxFile acquired) {
        int slot = freeSlots[--freeCount];
        tokens[slot] = token;
        buffers[slot] = buffer;
        files[slot] = acquired;
        earlyErrors[slot] = 0;
        used[slot] = true;
        return slot;
    }

    /** Gives a slot back with all it kept alive. */
    void free(int slot) {
        buffers[slot] = null;
        used[slot] = false;
        LinuxFile file = files[slot];
        if (file != null) {
            files[slot] = null;
            file.release();
        }
        freeSlots[freeCount++] = slot;
    }

    long token(int slot) {
        return tokens[slot];
    }

    /** The error that was known before the operation began; 0 if none. */
    int earlyError(int slot) {
        return earlyErrors[slot];
    }

    void setEarlyError(int slot, int negativeErrno) {
        earlyErrors[slot] = negativeErrno;
    }

    /** A slot in use with this token, or -1. */
    int find(long token) {
        for (int slot = 0; slot < tokens.length; slot++) {
            if (used[slot] && tokens[slot] == token) {
                return slot;
            }
        }
        return -1;
    }
}
