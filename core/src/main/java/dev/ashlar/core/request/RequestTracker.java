package dev.ashlar.core.request;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

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
 * <p>A slot is given back by an ordered store without a fence. So a request that ends at the very moment in which the gate closes may
 * take it for open and signal nobody, while the closer still sees the slot taken: whoever waits for slots also looks again by
 * himself, soon at first and every few milliseconds later.
 *
 * <p><b>Waiting.</b> An interrupt neither loses a request nor ends it early (C1). The lock is a {@link BriefLock}: no thread is ever
 * handed it while it does not run, so control code gets it with all carriers busy (C2). A request that is let in but whose thread has not
 * run since is taken back when a drain begins.
 */
public final class RequestTracker {
    private final RequestSlots slots = new RequestSlots();
    private final BriefLock lock = new BriefLock();

    /** Not 0 while a serialising request is registered or the node is drained. Written under the lock. */
    private volatile int gate;

    private volatile SlotBank[] banks = {};

    // Guarded by the lock.
    private int drains;
    private final RequestList requests = new RequestList();
    private final ArrayList<Long> holders = new ArrayList<>(0);
    private ArrayList<Waiter> waiters = new ArrayList<>(0);

    /** What a request or a drain waits for. */
    private enum Obstacle {
        NONE,
        /** Ends with a signal. */
        REQUEST,
        /** May end without a signal. */
        SLOT
    }

    /**
     * Registers an ordinary request and waits until it may run.
     *
     * @param end behind the last byte; equal to {@code start} for a request without a range
     */
    public TrackedRequest enter(long start, long end, Origin origin) {
        assert !DrainCallback.isRunning() : "D5: a request";
        if (gate == 0) {
            int slot = slots.claim(start, end);
            if (slot >= 0) {
                if (gate == 0) {
                    return slots.request(slot);
                }
                slots.free(slot);
            }
        }
        return enterSlowly(new TrackedRequest(start, end, false, origin));
    }

    /** Registers a request that runs alone on its range, and waits until it may run. */
    public TrackedRequest enterSerialising(long start, long end, Origin origin) {
        return enterSlowly(new TrackedRequest(start, end, true, origin));
    }

    /** Ends a request. Never blocks for long, never fails. */
    public void exit(TrackedRequest request) {
        if (request.slot >= 0) {
            slots.free(request.slot);
            signalIfGateClosed();
            return;
        }
        List<Waiter> toWake;
        lock.lock();
        try {
            assert request.running : "a request ended that did not run";
            requests.remove(request);
            updateGate();
            toWake = takeWaiters();
        } finally {
            lock.unlock();
        }
        wake(toWake);
    }

    /**
     * Closes the gate for users (D1, D2). Does not wait.
     *
     * @param holderId id of the thread that may not use this node as a user meanwhile: it would wait for itself
     */
    public void drainBegin(long holderId) {
        List<Waiter> toWake;
        lock.lock();
        try {
            drains++;
            holders.add(holderId);
            requests.takeBack();
            updateGate();
            toWake = takeWaiters();
        } finally {
            lock.unlock();
        }
        wake(toWake);
    }

    /** Counterpart of {@link #drainBegin}: after the last one what was held back starts, in order of arrival (D7). */
    public void drainEnd(long holderId) {
        SlotBank[] toResume = {};
        List<Waiter> toWake = List.of();
        lock.lock();
        try {
            if (drains == 0) {
                throw new IllegalStateException("end of a drain that never began");
            }
            drains--;
            holders.remove(Long.valueOf(holderId));
            if (drains == 0) {
                requests.resume();
                toResume = banks;
                toWake = takeWaiters();
            }
            updateGate();
        } finally {
            lock.unlock();
        }
        wake(toWake);
        for (SlotBank bank : toResume) {
            bank.resume();
        }
    }

    /** Waits until no request is under way. Only sensible while new ones are kept off. */
    public void awaitIdle() {
        DrainCallback.refuse("a wait");
        SlotBank[] own = banks;
        for (SlotBank bank : own) {
            bank.finishIfOwned();
        }
        Waiter waiter = new Waiter();
        while (true) {
            Obstacle obstacle;
            lock.lock();
            try {
                waiter.arm();
                obstacle = obstacleToIdle();
                if (obstacle == Obstacle.NONE) {
                    unlist(waiter);
                    break;
                }
                list(waiter);
            } finally {
                lock.unlock();
            }
            waiter.sleep(obstacle == Obstacle.SLOT);
        }
        waiter.restoreInterrupt();
    }

    /** Whether the calling thread is inside a request of this node (D9). */
    public boolean isInside() {
        for (SlotBank bank : banks) {
            if (bank.isInsideCompletion()) {
                return true;
            }
        }
        if (slots.isInside()) {
            return true;
        }
        lock.lock();
        try {
            return requests.contains(Thread.currentThread().threadId());
        } finally {
            lock.unlock();
        }
    }

    /** Requests under way; a snapshot for tests, messages and assertions. */
    public int inFlight() {
        lock.lock();
        try {
            int count = requests.size() + slots.taken();
            for (SlotBank bank : banks) {
                count += bank.inFlight();
            }
            return count;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Threads whose requests took the slow path, by id, for tests.
     *
     * @param registered in order of registration
     * @param held held back by drained sections, in order of arrival
     */
    public record Standing(List<Long> registered, List<Long> held) {}

    /** A snapshot, for tests. */
    public Standing standing() {
        lock.lock();
        try {
            return requests.standing();
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

    /** Whether a queue may send requests here without asking the node. */
    public boolean isUsedByQueues() {
        return banks.length > 0;
    }

    /** Slots for the requests of one queue. */
    SlotBank openBank(int slotCount, BankOwner owner) {
        SlotBank bank = new SlotBank(this, slotCount, owner);
        lock.lock();
        try {
            SlotBank[] more = Arrays.copyOf(banks, banks.length + 1);
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
            signal();
        }
    }

    private void signal() {
        List<Waiter> toWake;
        lock.lock();
        try {
            toWake = takeWaiters();
        } finally {
            lock.unlock();
        }
        wake(toWake);
    }

    private TrackedRequest enterSlowly(TrackedRequest request) {
        DrainCallback.refuse("a request");
        Waiter waiter = null;
        while (true) {
            Obstacle obstacle;
            lock.lock();
            try {
                if (waiter == null) {
                    admit(request);
                } else {
                    waiter.arm();
                }
                obstacle = obstacleTo(request);
                if (obstacle == Obstacle.NONE) {
                    request.running = true;
                    if (waiter != null) {
                        unlist(waiter);
                    }
                    break;
                }
                waiter = waiter == null ? new Waiter() : waiter;
                list(waiter);
            } finally {
                lock.unlock();
            }
            waiter.sleep(obstacle == Obstacle.SLOT);
        }
        if (waiter != null) {
            waiter.restoreInterrupt();
        }
        return request;
    }

    private void admit(TrackedRequest request) {
        if (request.ofUser && drains > 0) {
            if (holders.contains(request.threadId)) {
                throw new IllegalStateException("I/O by the thread that holds a drained section of this node");
            }
            requests.hold(request);
        } else {
            requests.register(request);
            updateGate();
        }
    }

    private Obstacle obstacleTo(TrackedRequest request) {
        if (!request.registered || RequestList.isBehindAnother(request)) {
            return Obstacle.REQUEST;
        }
        // Holders of slots are ordinary requests: others of that kind have nothing to wait for.
        return request.serialising && isInSlots(request.start, request.end) ? Obstacle.SLOT : Obstacle.NONE;
    }

    private boolean isInSlots(long start, long end) {
        if (slots.overlaps(start, end)) {
            return true;
        }
        for (SlotBank bank : banks) {
            if (bank.overlaps(start, end)) {
                return true;
            }
        }
        return false;
    }

    private Obstacle obstacleToIdle() {
        if (slots.taken() != 0) {
            return Obstacle.SLOT;
        }
        for (SlotBank bank : banks) {
            if (bank.inFlight() != 0) {
                return Obstacle.SLOT;
            }
        }
        return requests.isEmpty() ? Obstacle.NONE : Obstacle.REQUEST;
    }

    private void updateGate() {
        gate = drains + (requests.hasSerialisers() ? 1 : 0);
    }

    private void list(Waiter waiter) {
        if (!waiter.listed) {
            waiter.listed = true;
            waiters.add(waiter);
        }
    }

    private void unlist(Waiter waiter) {
        if (waiter.listed) {
            waiter.listed = false;
            waiters.remove(waiter);
        }
    }

    private List<Waiter> takeWaiters() {
        if (waiters.isEmpty()) {
            return List.of();
        }
        List<Waiter> taken = waiters;
        for (Waiter waiter : taken) {
            waiter.listed = false;
        }
        waiters = new ArrayList<>(taken.size());
        return taken;
    }

    /** With the lock given back: waking a virtual thread goes through its scheduler. */
    private static void wake(List<Waiter> toWake) {
        for (int i = 0; i < toWake.size(); i++) {
            toWake.get(i).signal();
        }
    }
}
