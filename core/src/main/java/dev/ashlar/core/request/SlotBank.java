package dev.ashlar.core.request;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Slots of a {@link RequestTracker} that belong to one queue: no claiming, since one thread fills them. A serialising request waits for
 * them like for any other slot.
 */
final class SlotBank {
    private final RequestTracker tracker;
    private final AtomicLongArray words;
    private final BankOwner owner;

    SlotBank(RequestTracker tracker, int slotCount, BankOwner owner) {
        this.tracker = tracker;
        this.words = new AtomicLongArray(slotCount);
        this.owner = owner;
    }

    /** Admits a request into a free slot of the queue. @return false when the gate is closed: take the slow path */
    boolean tryEnter(int slot, long start, long end) {
        if (tracker.isGateClosed()) {
            return false;
        }
        words.set(slot, SlotWord.of(start, end));
        if (!tracker.isGateClosed()) {
            return true;
        }
        exit(slot);
        return false;
    }

    void exit(int slot) {
        words.setRelease(slot, SlotWord.FREE);
        tracker.signalIfGateClosed();
    }

    boolean overlaps(long start, long end) {
        for (int i = 0; i < words.length(); i++) {
            if (SlotWord.overlaps(words.get(i), start, end)) {
                return true;
            }
        }
        return false;
    }

    int inFlight() {
        int count = 0;
        for (int i = 0; i < words.length(); i++) {
            count += words.get(i) == SlotWord.FREE ? 0 : 1;
        }
        return count;
    }

    void resume() {
        owner.resume();
    }

    void finishIfOwned() {
        owner.finishIfOwned();
    }

    boolean isInsideCompletion() {
        return owner.isInsideCompletion();
    }
}
