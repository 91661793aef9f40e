package dev.ashlar.core;

import java.util.List;

/**
 * A time in which a part of the graph stands still: no request of a user is under way on its nodes or starts there. Begun with {@link
 * BlockBackend#drain}, {@link BlockNode#drain}, {@link BlockNode#drainSubtree} or {@link BlockGraph#drainAll}; nested and from several threads at once as one
 * likes (D2). What is held back runs after the last end.
 *
 * <p>The thread that began it must not read or write the drained nodes as a user: that is refused with {@link
 * IllegalStateException}. Control operations (snapshots, resize) are what the section is for.
 */
public final class DrainedSection implements AutoCloseable {
    private final BlockGraph graph;
    private final DrainControl.Reach reach;
    private final List<BlockNode> targets;
    private final long holderId;

    // Changed under the graph's lock.
    private volatile List<BlockNode> nodes = List.of();
    private boolean ended;

    DrainedSection(BlockGraph graph, DrainControl.Reach reach, List<BlockNode> targets, long holderId) {
        this.graph = graph;
        this.reach = reach;
        this.targets = targets;
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

    DrainControl.Reach reach() {
        return reach;
    }

    List<BlockNode> targets() {
        return targets;
    }

    /** The nodes that stand still, parents before children. */
    List<BlockNode> nodes() {
        return nodes;
    }

    void stand(List<BlockNode> now) {
        nodes = now;
    }

    /** D2: an end without a begin is a programming error. */
    void markEnded() {
        if (ended) {
            throw new IllegalStateException("the drained section has ended already");
        }
        ended = true;
    }
}
