package dev.ashlar.core;

import dev.ashlar.core.request.Parking;
import java.util.ArrayList;
import java.util.List;

/**
 * A control operation on several nodes at once: no other one runs on them, and all stand still together, from before the first change to
 * {@link #close}. Used by one thread.
 */
public final class CommonDrain implements AutoCloseable {
    private final List<BlockNode> nodes;
    private final DrainedSection section;
    private final long beginNanos;
    private long standstillNanos;

    private CommonDrain(List<BlockNode> nodes, DrainedSection section, long beginNanos) {
        this.nodes = nodes;
        this.section = section;
        this.beginNanos = beginNanos;
    }

    /** As {@link #begin(List, List, Preparation)}, with nothing to prepare. */
    static CommonDrain begin(List<BlockNode> nodes) {
        try {
            return begin(nodes, List.of(), () -> {});
        } catch (BlockException e) {
            throw new IllegalStateException("nothing was to be prepared", e);
        }
    }

    /** What is done before the nodes are drained, while no other control operation runs on them. */
    @FunctionalInterface
    public interface Preparation {
        void run() throws BlockException;
    }

    /**
     * Waits until no other control operation runs on the nodes, then drains them together.
     *
     * @param nodes at least one, of one graph, each once
     * @param below more nodes on which no other control operation is to run; they are not drained
     * @param preparation runs before the drain, while requests go on; what it throws ends the whole
     * @throws IllegalStateException as {@link BlockNode#drain}
     */
    public static CommonDrain begin(List<BlockNode> nodes, List<BlockNode> below, Preparation preparation)
            throws BlockException {
        List<BlockNode> drained = List.copyOf(nodes);
        List<BlockNode> own = new ArrayList<>(drained);
        own.addAll(below);
        drained.get(0).graph().requireOutside(own);
        lockAll(own);
        boolean begun = false;
        try {
            preparation.run();
            long begin = System.nanoTime();
            CommonDrain drain = new CommonDrain(own, drained.get(0).graph().drain(drained), begin);
            begun = true;
            return drain;
        } finally {
            if (!begun) {
                unlock(own, own.size());
            }
        }
    }

    /** In any order without a deadlock: nothing is held while one waits for a lock. */
    private static void lockAll(List<BlockNode> nodes) {
        int busy = tryLockAll(nodes);
        while (busy >= 0) {
            ControlLock lock = nodes.get(busy).controlLock();
            lock.lock();
            try {
                Parking.step();
            } finally {
                lock.unlock();
            }
            busy = tryLockAll(nodes);
        }
    }

    /** @return -1, or the first node that is busy; then none is locked */
    private static int tryLockAll(List<BlockNode> nodes) {
        for (int i = 0; i < nodes.size(); i++) {
            if (!nodes.get(i).controlLock().tryLock()) {
                unlock(nodes, i);
                return i;
            }
        }
        return -1;
    }

    private static void unlock(List<BlockNode> nodes, int count) {
        for (int i = 0; i < count; i++) {
            nodes.get(i).controlLock().unlock();
        }
    }

    /** How long the nodes stood still, the wait for requests under way included; nanoseconds, 0 before the end. */
    public long standstillNanos() {
        return standstillNanos;
    }

    /** Ends the standstill. */
    @Override
    public void close() {
        section.close();
        standstillNanos = System.nanoTime() - beginNanos;
        unlock(nodes, nodes.size());
    }
}
