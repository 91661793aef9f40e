package dev.ashlar.core.request;

import java.util.ArrayList;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * All requests of one node that are under way, and the gate at which new ones are admitted.
 *
 * <p>Requests are ordered by their registration. A request waits for each earlier one that overlaps with it if either of the two
 * is serialising, never for a later one: no cycle, no deadlock (F2).
 *
 * <p><b>Hot path.</b> While nothing serialising is registered and nobody drains, a request claims a slot with one
 * compare-and-set, looks at the gate and is in; no lock, no allocation. Someone who serialises or drains first closes the gate
 * and then looks at the slots, a request first fills its slot and then looks at the gate: at least one sees the other. A request
 * that finds the gate closed gives its slot back and registers in a list, under the lock; so whoever holds a slot while the gate
 * is closed came before.
 *
 * <p>Waiting is on conditions of a {@link ReentrantLock}, without interruption: an interrupt neither loses a request nor ends
 * it early (C1), and virtual threads wait without their carrier.
 */
public final class RequestTracker {
    private static final int SLOTS = 64;
    private static final int PROBES = 8;
    /** Longs from slot to slot: 128 bytes, so that neither line nor prefetched neighbour is shared. */
    private static final int STRIDE = 16;

    /** Per slot its {@link SlotWord} and, one behind, the id of the thread inside. */
    private final AtomicLongArray words = new AtomicLongArray((SLOTS + 1) * STRIDE);

    private final TrackedRequest[] slots = new TrackedRequest[SLOTS];

    private final ReentrantLock lock = new ReentrantLock();
    /** A request ended while someone may wait for it. */
    private final Condition changed = lock.newCondition();
    /** The last drained section ended. */
    private final Condition resumed = lock.newCondition();

    /** Not 0 while a serialising request is registered or the node is drained. Written under the lock. */
    private volatile int gate;

    private volatile SlotBank[] banks = {};

    // Guarded by the lock.
    private int serialisers;
    private int drains;
    private int waiters;
    private final ArrayList<Long> holders = new ArrayList<>(0);
    private @Nullable TrackedRequest first;
    private @Nullable TrackedRequest last;

    public RequestTracker() {
        for (int i = 0; i < SLOTS; i++) {
            slots[i] = new TrackedRequest(i);
        }
    }

    /**
     * Registers an ordinary request and waits until it may run.
     *
     * @param end behind the last byte; equal to {@code start} for a request without a range
     */
    public TrackedRequest enter(long start, long end, Origin origin) {
        TrackedRequest request = tryEnter(start, end);
        return request != null ? request : register(start, end, false, origin);
    }

    /** Registers a request that runs alone on its range, and waits until it may run. */
    public TrackedRequest enterSerialising(long start, long end, Origin origin) {
        return register(start, end, true, origin);
    }

    /** Ends a request. Never blocks for long, never fails. */
    public void exit(TrackedRequest request) {
        if (request.slot >= 0) {
            words.set((request.slot + 1) * STRIDE, SlotWord.FREE);
            signalIfGateClosed();
            return;
        }
        lock.lock();
        try {
            unlink(request);
            if (request.serialising) {
                serialisers--;
                updateGate();
            }
            if (waiters > 0) {
                changed.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Closes the gate for users (D1, D2). Does not wait.
     *
     * @param holderId id of the thread that may not use this node as a user meanwhile: it would wait for itself
     */
    public void drainBegin(long holderId) {
        lock.lock();
        try {
            drains++;
            holders.add(holderId);
            updateGate();
        } finally {
            lock.unlock();
        }
    }

    /** Counterpart of {@link #drainBegin}: after the last one what was held back starts, in order of arrival (D7). */
    public void drainEnd(long holderId) {
        SlotBank[] toResume = {};
        lock.lock();
        try {
            if (drains == 0) {
                throw new IllegalStateException("end of a drain that never began");
            }
            drains--;
            holders.remove(Long.valueOf(holderId));
            updateGate();
            if (drains == 0) {
                resumed.signalAll();
                toResume = banks;
            }
        } finally {
            lock.unlock();
        }
        for (SlotBank bank : toResume) {
            bank.resume();
        }
    }

    /** Waits until no request is under way. Only sensible while new ones are kept off. */
    public void awaitIdle() {
        SlotBank[] own = banks;
        for (SlotBank bank : own) {
            bank.finishIfOwned();
        }
        lock.lock();
        try {
            waiters++;
            while (!isIdle()) {
                changed.awaitUninterruptibly();
            }
        } finally {
            waiters--;
            lock.unlock();
        }
    }

    /** Whether the calling thread is inside a request of this node (D9). */
    public boolean isInside() {
        for (SlotBank bank : banks) {
            if (bank.isInsideCompletion()) {
                return true;
            }
        }
        long id = Thread.currentThread().threadId();
        for (int i = 1; i <= SLOTS; i++) {
            if (words.get(i * STRIDE) != SlotWord.FREE && words.getPlain(i * STRIDE + 1) == id) {
                return true;
            }
        }
        lock.lock();
        try {
            for (TrackedRequest r = first; r != null; r = r.next) {
                if (r.threadId == id) {
                    return true;
                }
            }
            return false;
        } finally {
            lock.unlock();
        }
    }

    /** Requests under way; a snapshot for tests, messages and assertions. */
    public int inFlight() {
        lock.lock();
        try {
            int count = 0;
            for (TrackedRequest r = first; r != null; r = r.next) {
                count++;
            }
            for (int i = 1; i <= SLOTS; i++) {
                count += words.get(i * STRIDE) == SlotWord.FREE ? 0 : 1;
            }
            for (SlotBank bank : banks) {
                count += bank.inFlight();
            }
            return count;
        } finally {
            lock.unlock();
        }
    }

    public boolean isDrained() {
        lock.lock();
        try {
            return drains > 0;
        } finally {
            lock.unlock();
        }
    }

    /** Whether the calling thread began a drain that lasts. */
    boolean isDrainedByThisThread() {
        lock.lock();
        try {
            return holders.contains(Thread.currentThread().threadId());
        } finally {
            lock.unlock();
        }
    }

    /** Whether new requests must take the slow path. */
    boolean isGateClosed() {
        return gate != 0;
    }

    /** Slots for the requests of one queue. */
    SlotBank openBank(int slotCount, BankOwner owner) {
        SlotBank bank = new SlotBank(this, slotCount, owner);
        lock.lock();
        try {
            SlotBank[] more = java.util.Arrays.copyOf(banks, banks.length + 1);
            more[banks.length] = bank;
            banks = more;
        } finally {
            lock.unlock();
        }
        return bank;
    }

    void closeBank(SlotBank bank) {
        lock.lock();
        try {
            SlotBank[] fewer = new SlotBank[banks.length - 1];
            int kept = 0;
            for (SlotBank b : banks) {
                if (b != bank) {
                    fewer[kept++] = b;
                }
            }
            banks = fewer;
        } finally {
            lock.unlock();
        }
    }

    /** To be called after a slot was freed: whoever closed the gate may wait for just that. */
    void signalIfGateClosed() {
        if (gate != 0) {
            lock.lock();
            try {
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }
    }

    private @Nullable TrackedRequest tryEnter(long start, long end) {
        if (gate != 0) {
            return null;
        }
        long id = Thread.currentThread().threadId();
        long word = SlotWord.of(start, end);
        // Neighbouring ids go to different slots; the multiplication also spreads ids with a common stride.
        int slot = (int) ((id * 0x9E3779B97F4A7C15L) >>> 58);
        for (int i = 0; i < PROBES; i++) {
            int at = (slot + 1) * STRIDE;
            if (words.getPlain(at) == SlotWord.FREE && words.compareAndSet(at, SlotWord.FREE, word)) {
                words.setPlain(at + 1, id);
                if (gate == 0) {
                    return slots[slot];
                }
                words.set(at, SlotWord.FREE);
                return null;
            }
            slot = (slot + 1) & (SLOTS - 1);
        }
        return null;
    }

    private TrackedRequest register(long start, long end, boolean serialising, Origin origin) {
        TrackedRequest request = new TrackedRequest(start, end, serialising);
        lock.lock();
        try {
            if (waiters > 0) {
                // Someone may have seen a slot that this request gave back when it found the gate closed.
                changed.signalAll();
            }
            while (origin == Origin.BACKEND && drains > 0) {
                if (holders.contains(request.threadId)) {
                    throw new IllegalStateException("I/O by the thread that holds a drained section of this node");
                }
                resumed.awaitUninterruptibly();
            }
            link(request);
            if (serialising) {
                serialisers++;
                updateGate();
            }
            waiters++;
            while (mustWait(request)) {
                changed.awaitUninterruptibly();
            }
            waiters--;
            return request;
        } finally {
            lock.unlock();
        }
    }

    private boolean mustWait(TrackedRequest request) {
        for (TrackedRequest r = request.previous; r != null; r = r.previous) {
            if ((r.serialising || request.serialising) && r.overlaps(request.start, request.end)) {
                return true;
            }
        }
        if (!request.serialising) {
            // Holders of slots are ordinary requests: nothing to wait for.
            return false;
        }
        for (int i = 1; i <= SLOTS; i++) {
            if (SlotWord.overlaps(words.get(i * STRIDE), request.start, request.end)) {
                return true;
            }
        }
        for (SlotBank bank : banks) {
            if (bank.overlaps(request.start, request.end)) {
                return true;
            }
        }
        return false;
    }

    private boolean isIdle() {
        if (first != null) {
            return false;
        }
        for (int i = 1; i <= SLOTS; i++) {
            if (words.get(i * STRIDE) != SlotWord.FREE) {
                return false;
            }
        }
        for (SlotBank bank : banks) {
            if (bank.inFlight() != 0) {
                return false;
            }
        }
        return true;
    }

    private void updateGate() {
        gate = serialisers + drains;
    }

    private void link(TrackedRequest request) {
        request.previous = last;
        if (last == null) {
            first = request;
        } else {
            last.next = request;
        }
        last = request;
    }

    private void unlink(TrackedRequest request) {
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
    }
}
