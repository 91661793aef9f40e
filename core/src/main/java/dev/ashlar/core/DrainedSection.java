package dev.ashlar.core;

import java.util.List;

/**
 * A time in which a part of the graph stands still: no request of a user is under way on its nodes or starts there. Begun with {@link
 * BlockBackend#drain}, {@link BlockNode#drain} or {@link BlockGraph#drainAll}; nested and from several threads at once as one
 * likes (D2). What is held back runs after the last end.
 *
 * <p>The thread that began it must not read or write the drained nodes as a user: that is refused with {@link
 * IllegalStateException}. Control operations (snapshots, resize) are what the section is for.
 */
public final class DrainedSection implements AutoCloseable {
    private final BlockGraph graph;
    private final boolean everything;
    private final long holderId;

    // Guarded by the graph's lock.
    private final List<BlockNode> nodes;
    private boolean ended;

    DrainedSection(BlockGraph graph, List<BlockNode> nodes, boolean everything, long holderId) {
        this.graph = graph;
        this.nodes = nodes;
        this.everything = everything;
        this.holderId = holderId;
    }

    /**
     * Ends the section.
     *
     * @throws IllegalStateException if it has been ended before
     */
    @Override
    public void close() {
        graph.endDrain(this);
    }

    long holderId() {
        return holderId;
    }

    /** The nodes that stand still, parents before children. */
    List<BlockNode> nodes() {
        return nodes;
    }

    boolean covers(BlockNode newParent) {
        if (everything) {
            return true;
        }
        for (ChildEdge edge : newParent.edges()) {
            if (nodes.contains(edge.node())) {
                return true;
            }
        }
        return false;
    }

    void markEnded() {
        if (ended) {
            throw new IllegalStateException("the drained section has ended already");
        }
        ended = true;
    }
}
