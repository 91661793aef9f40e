package dev.ashlar.core.filter;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Throttled nodes that share one set of limits. Reads and writes queue apart; in each direction one request at a time waits for the
 * clock, and the members take turns, so that a busy one does not starve the others. Any thread.
 */
public final class ThrottleGroup {
    private final String name;
    private final ThrottleClock clock;
    private final ReentrantLock lock = new ReentrantLock();
    private final Direction reads = new Direction();
    private final Direction writes = new Direction();

    // Guarded by the lock.
    private final List<Member> members = new ArrayList<>();
    private ThrottleLimits limits = ThrottleLimits.NONE;
    private LeakyBuckets buckets;

    ThrottleGroup(String name, ThrottleClock clock) {
        this.name = name;
        this.clock = clock;
        this.buckets = new LeakyBuckets(limits, clock.nanoTime());
    }

    public String name() {
        return name;
    }

    /** Sets new limits; the past is forgotten. Requests that wait are judged by the new limits. */
    public void configure(ThrottleLimits newLimits) {
        lock.lock();
        try {
            limits = newLimits;
            buckets = new LeakyBuckets(newLimits, clock.nanoTime());
            wakeAll();
        } finally {
            lock.unlock();
        }
    }

    /** The present limits. */
    public ThrottleLimits limits() {
        lock.lock();
        try {
            return limits;
        } finally {
            lock.unlock();
        }
    }

    /** Requests that wait. */
    public int waiting() {
        lock.lock();
        try {
            return reads.waiting + writes.waiting;
        } finally {
            lock.unlock();
        }
    }

    int memberCount() {
        lock.lock();
        try {
            return members.size();
        } finally {
            lock.unlock();
        }
    }

    Member join() {
        lock.lock();
        try {
            Member member = new Member();
            members.add(member);
            return member;
        } finally {
            lock.unlock();
        }
    }

    /** To be told when a clock that is set by hand was set. */
    void timePassed() {
        lock.lock();
        try {
            wakeAll();
        } finally {
            lock.unlock();
        }
    }

    private void wakeAll() {
        for (Member member : members) {
            member.wakeAll();
        }
    }

    /** One kind of request of all members. */
    private static final class Direction {
        int waiting;
        /** The request that waits for the clock; the others wait for it. */
        @Nullable
        Waiter turn;
        /** Where the search for the next turn begins. */
        int nextMember;
    }

    /** A request that waits; has its identity. */
    private static final class Waiter {
        final Condition condition;

        Waiter(Condition condition) {
            this.condition = condition;
        }
    }

    /** A node's place in the group. */
    final class Member {
        private final ArrayDeque<Waiter> waitingReads = new ArrayDeque<>(0);
        private final ArrayDeque<Waiter> waitingWrites = new ArrayDeque<>(0);
        private int releases;

        ThrottleGroup group() {
            return ThrottleGroup.this;
        }

        /** Waits until the request may go. An interrupt does not end the wait; it stays pending. */
        void admit(boolean write, long lengthBytes) {
            boolean interrupted = false;
            lock.lock();
            try {
                Direction direction = write ? writes : reads;
                boolean free = direction.waiting == 0 && buckets.waitNanos(write, clock.nanoTime()) == 0;
                if (!free && releases == 0) {
                    interrupted = await(write, direction);
                }
                buckets.account(write, lengthBytes);
                passTurn(direction);
            } finally {
                lock.unlock();
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }

        /** Lets go what waits, and everything until {@link #hold}. Nests. Does not wait. */
        void release() {
            lock.lock();
            try {
                releases++;
                wakeAll();
            } finally {
                lock.unlock();
            }
        }

        /** Counterpart of {@link #release}. */
        void hold() {
            lock.lock();
            try {
                releases--;
            } finally {
                lock.unlock();
            }
        }

        /** To be called when nothing of this member waits any more. */
        void leave() {
            lock.lock();
            try {
                members.remove(this);
            } finally {
                lock.unlock();
            }
        }

        private boolean await(boolean write, Direction direction) {
            ArrayDeque<Waiter> queue = queue(write);
            Waiter waiter = new Waiter(lock.newCondition());
            queue.add(waiter);
            direction.waiting++;
            boolean interrupted = false;
            while (releases == 0) {
                if (direction.turn == null) {
                    direction.turn = waiter;
                    direction.nextMember = members.indexOf(this) + 1;
                }
                boolean mine = direction.turn == waiter;
                long wait = mine ? buckets.waitNanos(write, clock.nanoTime()) : Long.MAX_VALUE;
                if (wait == 0) {
                    break;
                }
                try {
                    if (mine) {
                        clock.await(waiter.condition, wait);
                    } else {
                        waiter.condition.await();
                    }
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            queue.remove(waiter);
            direction.waiting--;
            if (direction.turn == waiter) {
                direction.turn = null;
            }
            return interrupted;
        }

        private ArrayDeque<Waiter> queue(boolean write) {
            return write ? waitingWrites : waitingReads;
        }

        private void wakeAll() {
            waitingReads.forEach(waiter -> waiter.condition.signal());
            waitingWrites.forEach(waiter -> waiter.condition.signal());
        }
    }

    /** Gives the turn to the first request of the next member that has one. */
    private void passTurn(Direction direction) {
        if (direction.turn != null || direction.waiting == 0) {
            return;
        }
        for (int i = 0; i < members.size(); i++) {
            int at = (direction.nextMember + i) % members.size();
            Waiter first = members.get(at).queue(direction == writes).peek();
            if (first != null) {
                direction.turn = first;
                direction.nextMember = at + 1;
                first.condition.signal();
                return;
            }
        }
    }
}
