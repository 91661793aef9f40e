package dev.ashlar.core;

import dev.ashlar.core.request.BriefLock;
import dev.ashlar.core.request.DrainCallback;
import dev.ashlar.core.request.Parking;

/**
 * The lock of a graph's shape, as two kinds of token of which a thread has one at a time (G4).
 *
 * <p>Whoever changes nodes and edges or walks along them shows a {@link Locked}; whoever drains, waits or polls shows an {@link Unlocked}. Taking
 * the lock uses the {@code Unlocked} up and gives a {@code Locked}, giving it back uses that up. So code that holds the lock has nothing
 * to show where waiting is asked for, and a token kept for later is refused. Sections under the lock are brief: no I/O, no wait.
 */
final class GraphLock {
    private final BriefLock lock = new BriefLock();

    /** A token for a thread that does not hold the lock. @throws IllegalStateException if it does (G3, G4) */
    Unlocked unlocked() {
        DrainCallback.refuse("a look at the graph");
        if (lock.isHeldByThisThread()) {
            throw new IllegalStateException("the graph's lock is held by this thread");
        }
        return new Unlocked(this);
    }

    /** Takes the lock in one step. */
    Locked lock() {
        return unlocked().lock();
    }

    /** Whether any thread holds the lock, for tests. */
    boolean isHeld() {
        return lock.isHeld();
    }

    /** Whether the calling thread holds the lock, for assertions (G2). */
    boolean isHeldByThisThread() {
        return lock.isHeldByThisThread();
    }

    abstract static sealed class Token {
        final GraphLock graphLock;
        private final Thread thread = Thread.currentThread();
        private boolean used;

        Token(GraphLock graphLock) {
            this.graphLock = graphLock;
        }

        /** @throws IllegalStateException if the token is another thread's or was exchanged */
        final void requireValid() {
            if (used || Thread.currentThread() != thread) {
                throw new IllegalStateException("not a valid token of the graph's lock");
            }
        }

        final void use() {
            requireValid();
            used = true;
        }
    }

    /** Proof that the thread does not hold the lock: it may wait. */
    static final class Unlocked extends Token {
        private Unlocked(GraphLock graphLock) {
            super(graphLock);
        }

        Locked lock() {
            use();
            Parking.step();
            graphLock.lock.lock();
            return new Locked(graphLock);
        }
    }

    /** Proof that the thread holds the lock: it may read and change the graph. */
    static final class Locked extends Token implements AutoCloseable {
        private Locked(GraphLock graphLock) {
            super(graphLock);
        }

        Unlocked unlock() {
            use();
            graphLock.lock.unlock();
            return new Unlocked(graphLock);
        }

        /** Gives the lock back, for those that do not need to wait afterwards. */
        @Override
        public void close() {
            Unlocked after = unlock();
            after.requireValid();
        }
    }
}
