package dev.ashlar.core.request;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The requests of a node's slow path: those registered, in order, and behind them those that drained sections hold back, in order of
 * arrival (D7). No protection of its own: guarded by the tracker's lock.
 */
final class RequestList {
    private @Nullable TrackedRequest first;
    private @Nullable TrackedRequest last;
    private final ArrayDeque<TrackedRequest> held = new ArrayDeque<>(0);
    private int serialisers;

    void register(TrackedRequest request) {
        assert !request.registered;
        request.registered = true;
        serialisers += request.serialising ? 1 : 0;
        request.previous = last;
        if (last == null) {
            first = request;
        } else {
            last.next = request;
        }
        last = request;
    }

    void remove(TrackedRequest request) {
        assert request.registered;
        request.registered = false;
        request.running = false;
        serialisers -= request.serialising ? 1 : 0;
        TrackedRequest before = request.previous;
        TrackedRequest behind = request.next;
        if (before == null) {
            first = behind;
        } else {
            before.next = behind;
        }
        if (behind == null) {
            last = before;
        } else {
            behind.previous = before;
        }
        request.previous = null;
        request.next = null;
    }

    void hold(TrackedRequest request) {
        held.addLast(request);
    }

    /**
     * Takes requests of users back that are registered and do not run yet: a drain that begins need not wait for threads that may not even
     * have a carrier to run on (C2). They come before what is held already.
     */
    void takeBack() {
        TrackedRequest request = last;
        while (request != null) {
            TrackedRequest before = request.previous;
            if (request.ofUser && !request.running) {
                remove(request);
                held.addFirst(request);
            }
            request = before;
        }
    }

    /** Registers what was held back, in order of arrival. */
    void resume() {
        while (!held.isEmpty()) {
            register(held.removeFirst());
        }
    }

    boolean isEmpty() {
        return first == null;
    }

    boolean hasSerialisers() {
        return serialisers > 0;
    }

    int size() {
        int count = 0;
        for (TrackedRequest r = first; r != null; r = r.next) {
            count++;
        }
        return count;
    }

    boolean contains(long threadId) {
        for (TrackedRequest r = first; r != null; r = r.next) {
            if (r.threadId == threadId) {
                return true;
            }
        }
        return false;
    }

    RequestTracker.Standing standing() {
        List<Long> registered = new ArrayList<>();
        for (TrackedRequest r = first; r != null; r = r.next) {
            registered.add(r.threadId);
        }
        List<Long> back = new ArrayList<>();
        for (TrackedRequest r : held) {
            back.add(r.threadId);
        }
        return new RequestTracker.Standing(registered, back);
    }

    /** Whether a request that came before must have ended first (F2). */
    static boolean isBehindAnother(TrackedRequest request) {
        for (TrackedRequest r = request.previous; r != null; r = r.previous) {
            if ((r.serialising || request.serialising) && r.overlaps(request.start, request.end)) {
                return true;
            }
        }
        return false;
    }
}
