package dev.ashlar.core.request;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * The places that ordinary requests of a node take without a lock, each with its {@link SlotWord} and the id of the thread inside. A
 * place is taken by one compare-and-set and given back by one ordered store.
 */
final class RequestSlots {
    private static final int SLOTS = 64;
    private static final int SLOT_BITS = 6;
    private static final int PROBES = 8;
    /** Longs from slot to slot: 128 bytes, so that neither line nor prefetched neighbour is shared. */
    private static final int STRIDE = 16;

    private static final long SPREAD = 0x9E3779B97F4A7C15L;

    /** Per slot its word and, one behind, the id of the thread inside. The first stride keeps the array's header away. */
    private final AtomicLongArray words = new AtomicLongArray((SLOTS + 1) * STRIDE);

    private final TrackedRequest[] requests = new TrackedRequest[SLOTS];

    RequestSlots() {
        for (int i = 0; i < SLOTS; i++) {
            requests[i] = new TrackedRequest(i);
        }
    }

    /** Takes a place; -1 when all that were looked at are taken. The full fence of the compare-and-set comes with it. */
    int claim(long start, long end) {
        long id = Thread.currentThread().threadId();
        long word = SlotWord.of(start, end);
        // Neighbouring ids go to different slots; the multiplication also spreads ids with a common stride.
        int slot = (int) ((id * SPREAD) >>> (Long.SIZE - SLOT_BITS));
        for (int i = 0; i < PROBES; i++) {
            int at = (slot + 1) * STRIDE;
            if (words.getPlain(at) == SlotWord.FREE && words.compareAndSet(at, SlotWord.FREE, word)) {
                words.setPlain(at + 1, id);
                return slot;
            }
            slot = (slot + 1) & (SLOTS - 1);
        }
        return -1;
    }

    TrackedRequest request(int slot) {
        return requests[slot];
    }

    /** Gives a place back. Ordered behind all that the request did; others may see it a little later. */
    void free(int slot) {
        words.setRelease((slot + 1) * STRIDE, SlotWord.FREE);
    }

    boolean overlaps(long start, long end) {
        for (int i = 1; i <= SLOTS; i++) {
            if (SlotWord.overlaps(words.get(i * STRIDE), start, end)) {
                return true;
            }
        }
        return false;
    }

    int taken() {
        int count = 0;
        for (int i = 1; i <= SLOTS; i++) {
            count += words.get(i * STRIDE) == SlotWord.FREE ? 0 : 1;
        }
        return count;
    }

    /** Whether the calling thread is inside one. Exact: it set and sets its own. */
    boolean isInside() {
        long id = Thread.currentThread().threadId();
        for (int i = 1; i <= SLOTS; i++) {
            if (words.get(i * STRIDE) != SlotWord.FREE && words.getPlain(i * STRIDE + 1) == id) {
                return true;
            }
        }
        return false;
    }
}
