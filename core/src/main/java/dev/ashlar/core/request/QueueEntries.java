package dev.ashlar.core.request;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** The places of a {@link RequestQueue}, as many as it is deep, all made ahead. The owner's. */
final class QueueEntries {
    private final QueueEntry[] entries;
    /** Indices of the free ones, the next to be used last. */
    private final int[] free;

    private int freeCount;

    QueueEntries(int depth) {
        this.entries = new QueueEntry[depth];
        this.free = new int[depth];
        for (int i = 0; i < depth; i++) {
            entries[i] = new QueueEntry(i);
            free[i] = depth - 1 - i;
        }
        this.freeCount = depth;
    }

    int depth() {
        return entries.length;
    }

    int inUse() {
        return entries.length - freeCount;
    }

    boolean isFull() {
        return freeCount == 0;
    }

    QueueEntry at(int index) {
        return entries[index];
    }

    /** Takes a place for a request; there must be one. */
    QueueEntry take(QueueEntry.Kind kind, long offset, @Nullable MemorySegment buffer, long token) {
        QueueEntry entry = entries[free[--freeCount]];
        entry.kind = kind;
        entry.offset = offset;
        entry.buffer = buffer;
        entry.token = token;
        return entry;
    }

    /** Gives a place back, and lets go of what its request kept. */
    void release(QueueEntry entry) {
        entry.buffer = null;
        entry.stand = null;
        entry.failure = null;
        free[freeCount++] = entry.index;
    }
}
