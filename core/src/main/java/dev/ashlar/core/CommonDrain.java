package dev.ashlar.core;

import dev.ashlar.core.request.Parking;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * A control operation on several nodes at once: no other one runs on them or on what stands above them, and all stand still together, from
 * before the first change to {@link #close}. Used by one thread.
 *
 * <p>Those above count because their own control operations use the nodes: one that closes while a driver below it is being opened again
 * could write nothing any more.
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
        /** @throws BlockException what ends the whole; nothing is drained then */
        void run() throws BlockException;
    }

    /**
     * Waits until no other control operation runs on the nodes, then drains them together.
     *
     * @param nodes at least one, of one graph, each once
     * @param below more nodes on which, and above which, no other control operation is to run; they are not drained
     * @param preparation runs before the drain, while requests go on; what it throws ends the whole
     * @throws IllegalStateException as {@link BlockNode#drain}
     */
    public static CommonDrain begin(List<BlockNode> nodes, List<BlockNode> below, Preparation preparation)
            throws BlockException {
        List<BlockNode> drained = List.copyOf(nodes);
        List<BlockNode> wanted = new ArrayList<>(drained);
        wanted.addAll(below);
        List<BlockNode> own = control(wanted);
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

    /** @return the nodes whose control locks the caller holds now */
    private static List<BlockNode> control(List<BlockNode> wanted) {
        BlockGraph graph = wanted.get(0).graph();
        while (true) {
            boolean mine = true;
            for (BlockNode node : wanted) {
                mine &= node.controlLock().isHeldByThisThread();
            }
            // Inside a control operation of its own one waits for no more locks: others may hold those and wait for
            // this one's.
            List<BlockNode> own = mine ? wanted : graph.withParents(wanted);
            graph.requireOutside(own);
            lockAll(own);
            if (mine || own.containsAll(graph.withParents(wanted))) {
                return own;
            }
            unlock(own, own.size());
        }
    }

    /** Whether all that stands above these nodes is still what was locked. */
    boolean covers(Collection<BlockNode> some) {
        return nodes.containsAll(nodes.get(0).graph().withParents(some));
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
