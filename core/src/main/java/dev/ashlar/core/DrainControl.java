package dev.ashlar.core;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Begins and ends drained sections, and keeps them right while the graph changes.
 *
 * <p>A section stands for its targets; the nodes that stand still follow from them and from the edges of the moment. They are found anew after
 * each change: what has come in is stopped, what has gone out runs again (D4). A change must have brought to rest what it brings in.
 */
final class DrainControl {
    /** What stands still beside the targets and all that stands above them. */
    enum Reach {
        PARENTS,
        /** Children as well, and what stands above those. */
        SUBTREE,
        /** Every node. */
        EVERYTHING
    }

    private final GraphLock lock;

    // Guarded by the lock.
    private final List<DrainedSection> sections = new ArrayList<>();

    DrainControl(GraphLock lock) {
        this.lock = lock;
    }

    /**
     * Begins a section: asks all nodes to stop, then waits once, at the top (D5).
     *
     * @param unlocked used up; proof that the caller may wait (G4)
     */
    DrainedSection begin(GraphLock.Unlocked unlocked, BlockGraph graph, Reach reach, List<BlockNode> targets) {
        long holder = Thread.currentThread().threadId();
        GraphLock.Locked locked = unlocked.lock();
        DrainedSection section = new DrainedSection(graph, reach, targets, holder);
        List<BlockNode> affected;
        GraphLock.Unlocked waiting;
        boolean begun = false;
        try {
            affected = new ArrayList<>(reached(locked, graph, section));
            requireOutside(affected);
            quiesceAll(affected, holder);
            section.stand(List.copyOf(affected));
            sections.add(section);
            begun = true;
        } finally {
            waiting = locked.unlock();
            assert begun || sections.indexOf(section) < 0;
        }
        await(waiting, affected);
        return section;
    }

    /** All or, if a driver throws, none. */
    private static void quiesceAll(List<BlockNode> nodes, long holder) {
        int asked = 0;
        try {
            for (BlockNode node : nodes) {
                node.quiesce(holder);
                asked++;
            }
        } finally {
            if (asked < nodes.size()) {
                for (int i = asked - 1; i >= 0; i--) {
                    nodes.get(i).unquiesce(holder);
                }
            }
        }
    }

    /** D9 for a drain of these nodes. */
    void requireOutside(GraphLock.Locked locked, List<BlockNode> targets) {
        locked.requireValid();
        Set<BlockNode> affected = new LinkedHashSet<>();
        for (BlockNode target : targets) {
            addWithParents(target, affected);
        }
        requireOutside(new ArrayList<>(affected));
    }

    /** Whether the calling thread is inside no request at all (G1). */
    boolean isOutsideOfAll(GraphLock.Locked locked, BlockGraph graph) {
        for (BlockNode node : graph.known(locked)) {
            if (node.layer().tracker().isInside()) {
                return false;
            }
        }
        return true;
    }

    /** D9: a drain from inside a request would wait for itself. */
    private static void requireOutside(List<BlockNode> affected) {
        for (BlockNode node : affected) {
            if (node.layer().tracker().isInside()) {
                throw new IllegalStateException(
                        "a drain of node '" + node.name() + "' from inside one of its requests would wait for itself");
            }
        }
    }

    /** Parents come first: once they are idle nothing new reaches their children. */
    private static void await(GraphLock.Unlocked waiting, List<BlockNode> affected) {
        waiting.requireValid();
        for (BlockNode node : affected) {
            node.layer().tracker().awaitIdle();
        }
    }

    void end(DrainedSection section) {
        try (GraphLock.Locked locked = lock.lock()) {
            locked.requireValid();
            section.markEnded();
            sections.remove(section);
            List<BlockNode> stood = section.nodes();
            RuntimeException failure = null;
            for (int i = stood.size() - 1; i >= 0; i--) {
                try {
                    stood.get(i).unquiesce(section.holderId());
                } catch (RuntimeException e) {
                    failure = failure == null ? e : failure;
                }
            }
            if (failure != null) {
                throw failure;
            }
        }
    }

    /** To be called after each change of nodes or edges, before the lock is given back (D4). */
    void graphChanged(GraphLock.Locked locked, BlockGraph graph) {
        locked.requireValid();
        for (DrainedSection section : sections) {
            Set<BlockNode> now = reached(locked, graph, section);
            List<BlockNode> before = section.nodes();
            for (BlockNode node : now) {
                if (!before.contains(node)) {
                    node.quiesce(section.holderId());
                    assert node.layer().tracker().inFlight() == 0
                            : "D4: node " + node.name() + " came under a drain with requests under way";
                }
            }
            for (BlockNode node : before) {
                if (!now.contains(node)) {
                    node.unquiesce(section.holderId());
                }
            }
            section.stand(List.copyOf(now));
        }
    }

    /** Parents before children. */
    private static Set<BlockNode> reached(GraphLock.Locked locked, BlockGraph graph, DrainedSection section) {
        Set<BlockNode> reached = new LinkedHashSet<>();
        if (section.reach() == Reach.EVERYTHING) {
            for (BlockNode node : graph.known(locked)) {
                addWithParents(node, reached);
            }
            return reached;
        }
        for (BlockNode target : section.targets()) {
            if (!graph.isKnown(locked, target)) {
                continue;
            }
            addWithParents(target, reached);
            if (section.reach() == Reach.SUBTREE) {
                Set<BlockNode> below = new LinkedHashSet<>();
                addWithChildren(target, below);
                for (BlockNode node : below) {
                    addWithParents(node, reached);
                }
            }
        }
        return reached;
    }

    static void addWithParents(BlockNode node, Set<BlockNode> into) {
        if (into.contains(node)) {
            return;
        }
        for (ChildEdge edge : node.parentEdges()) {
            BlockNode parent = edge.parent();
            if (parent != null) {
                addWithParents(parent, into);
            }
        }
        into.add(node);
    }

    static void addWithChildren(BlockNode node, Set<BlockNode> into) {
        if (into.add(node)) {
            for (ChildEdge edge : node.edges()) {
                addWithChildren(edge.node(), into);
            }
        }
    }
}
