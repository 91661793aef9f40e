package dev.ashlar.core.request;

import org.jspecify.annotations.Nullable;

/**
 * A request of a node that is under way, as {@link RequestTracker} knows it: what {@link RequestTracker#enter} gives and {@link
 * RequestTracker#exit} takes. Its range counts as touched from one to the other.
 */
public final class TrackedRequest {
    /** Index of the slot, or -1 for a request of the slow path. */
    final int slot;

    final long start;
    final long end;
    final boolean serialising;
    final long threadId;

    // Of the slow path; guarded by the tracker's lock.
    /** Registered: others see it and wait for it as the rules say. If not, a drained section holds it back. */
    boolean registered;

    /** Its thread was let in and has not left. */
    boolean running;

    /** A user's, so that a drained section may hold it back until it runs. */
    final boolean ofUser;

    // Neighbours in the list of registered requests, in order of registration.
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
        this.ofUser = false;
        this.threadId = 0;
    }

    TrackedRequest(long start, long end, boolean serialising, Origin origin) {
        this.slot = -1;
        this.start = start;
        this.end = end;
        this.serialising = serialising;
        this.ofUser = origin.isUser();
        this.threadId = Thread.currentThread().threadId();
    }

    boolean overlaps(long otherStart, long otherEnd) {
        return start < otherEnd && otherStart < end;
    }
}
