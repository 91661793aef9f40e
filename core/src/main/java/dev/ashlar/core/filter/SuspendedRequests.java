package dev.ashlar.core.filter;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** Requests that stand still at a breakpoint, by tag. Thread-safe; waits are not ended by interrupts (C1). */
final class SuspendedRequests {
    private record Suspended(String tag, Condition resumed) {}

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition arrived = lock.newCondition();
    private final List<Suspended> suspended = new ArrayList<>();
    private Breakpoints.@Nullable Listener listener;

    void listen(Breakpoints.Listener newListener) {
        lock.lock();
        try {
            listener = newListener;
        } finally {
            lock.unlock();
        }
    }

    /** Stops the calling thread until somebody resumes it. */
    void suspend(String tag) {
        lock.lock();
        try {
            Suspended own = new Suspended(tag, lock.newCondition());
            suspended.add(own);
            if (listener != null) {
                listener.suspended(tag);
            }
            arrived.signalAll();
            while (suspended.contains(own)) {
                own.resumed().awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    void await(String tag) {
        lock.lock();
        try {
            while (!contains(tag)) {
                arrived.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    boolean isSuspended(String tag) {
        lock.lock();
        try {
            return contains(tag);
        } finally {
            lock.unlock();
        }
    }

    /** @param all whether to resume all of that tag, or the one that came first */
    boolean resume(String tag, boolean all) {
        boolean found = false;
        lock.lock();
        try {
            for (Iterator<Suspended> each = suspended.iterator(); each.hasNext() && (all || !found); ) {
                Suspended one = each.next();
                if (one.tag().equals(tag)) {
                    each.remove();
                    if (listener != null) {
                        listener.resumed(tag);
                    }
                    one.resumed().signal();
                    found = true;
                }
            }
            return found;
        } finally {
            lock.unlock();
        }
    }

    private boolean contains(String tag) {
        return suspended.stream().anyMatch(one -> one.tag().equals(tag));
    }
}
