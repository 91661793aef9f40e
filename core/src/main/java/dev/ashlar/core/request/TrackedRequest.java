package dev.ashlar.core.request;

import org.jspecify.annotations.Nullable;

/**
 * A request that a {@link RequestTracker} knows of; ended with {@link RequestTracker#exit}. Slots of the hot path have one
 * permanent object each, requests that took the slow path one of their own.
 */
public final class TrackedRequest {
    /** Index of the slot, or -1 for a request in the list of the slow path. */
    final int slot;

    final long start;
    final long end;
    final boolean serialising;
    final long threadId;

    // Neighbours in the list of the slow path, in order of registration; guarded by the tracker's lock.
    @Nullable
    TrackedRequest previous;

    @Nullable
    TrackedRequest next;

    /** The permanent object of a slot. */
    TrackedRequest(int slot) {
        this.slot = slot;
        this.start = 0;
        this.end = 0;
        this.serialising = false;
        this.threadId = 0;
    }

    TrackedRequest(long start, long end, boolean serialising) {
        this.slot = -1;
        this.start = start;
        this.end = end;
        this.serialising = serialising;
        this.threadId = Thread.currentThread().threadId();
    }

    boolean overlaps(long otherStart, long otherEnd) {
        return start < otherEnd && otherStart < end;
    }
}
