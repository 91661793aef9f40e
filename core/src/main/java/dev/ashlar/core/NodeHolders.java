package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import java.util.ArrayList;
import java.util.List;

/**
 * Who holds a node open: edges from parents and users above it, views of its snapshots, and queues that still reach its file. Guarded by the
 * graph's lock; views come and go only while their thread has the node's control lock as well. A node that the last of them has left
 * closes, once, and takes no new ones (D8).
 */
final class NodeHolders {
    private final BlockNode node;
    private final List<ChildEdge> edges = new ArrayList<>();
    private int views;
    private boolean closing;
    /** No parent or user needs the node any more, but a queue still reaches its file. */
    private boolean leftover;

    NodeHolders(BlockNode node) {
        this.node = node;
    }

    /** Edges from parents and backends, to be changed by who changes the graph (G1, G2). */
    List<ChildEdge> edges() {
        assert node.graph().lock().isHeldByThisThread()
                : "G2: the edges above node " + node.name() + " without the graph's lock";
        return edges;
    }

    /** A view of one of the node's snapshots opens or closes. @param change 1 or -1 */
    void addView(GraphLock.Locked locked, int change) {
        locked.requireValid();
        views += change;
    }

    /** As {@link #requireNoViews(GraphLock.Locked)}. */
    void requireNoViews() throws BlockException {
        try (GraphLock.Locked locked = node.graph().lock().lock()) {
            requireNoViews(locked);
        }
    }

    /**
     * Asked before the driver is closed to be opened again: views of its snapshots read through this very instance. By the thread that holds
     * the control lock, so that none comes afterwards.
     *
     * @throws BlockException BUSY while a snapshot is open for reading
     */
    void requireNoViews(GraphLock.Locked locked) throws BlockException {
        locked.requireValid();
        if (views > 0) {
            throw new BlockException(
                    Kind.BUSY, "Node '" + node.name() + "' can't be opened again while a snapshot of it is open");
        }
    }

    /** Decides that the node closes now; from then on nobody can attach. @return false if someone needs it, or it closes already */
    boolean claimClosing(GraphLock.Locked locked) {
        locked.requireValid();
        if (closing || !edges.isEmpty() || views > 0) {
            return false;
        }
        leftover = node.layer().tracker().isUsedByQueues();
        closing = !leftover;
        return closing;
    }

    /** Whether the node waits for queues to close. Nodes that are still being opened have no users either, but do not. */
    boolean isLeftover() {
        return leftover;
    }

    boolean isClosing() {
        return closing;
    }
}
