package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Leads the edges above one node to another. Drivers that keep tables in the child are opened again over the new one. */
final class EdgeSwitch implements GraphChange {
    /** Why the other node shows the same content, where that is for core to see to. */
    enum Way {
        ELSEWHERE,
        INTO_FILTER,
        OUT_OF_FILTER
    }

    private final BlockGraph graph;
    private final Way way;
    private final BlockNode from;
    /** Of a filter that is taken out, what is below it at the moment. */
    private BlockNode to;

    private final List<ChildEdge> switched = new ArrayList<>();
    /** Parents whose driver is closed, and those where it was opened again. */
    private final List<BlockNode> closed = new ArrayList<>();

    private final List<BlockNode> opened = new ArrayList<>();

    EdgeSwitch(BlockGraph graph, Way way, BlockNode from, BlockNode to) {
        this.graph = graph;
        this.way = way;
        this.from = from;
        this.to = to;
    }

    /** What a filter stands over, or null if it is none. */
    static @Nullable BlockNode filteredBy(BlockNode filter) {
        for (ChildEdge edge : filter.edges()) {
            if (edge.has(ChildRole.FILTERED)) {
                return edge.node();
            }
        }
        return null;
    }

    @Override
    public void addTouched(Set<BlockNode> into) {
        try (GraphLock.Locked locked = graph.lock().lock()) {
            locked.requireValid();
            BlockNode below = way == Way.OUT_OF_FILTER ? filteredBy(from) : null;
            to = below == null ? to : below;
            into.add(from);
            into.add(to);
            for (ChildEdge edge : from.parentEdges()) {
                BlockNode parent = edge.parent();
                if (parent != null) {
                    into.add(parent);
                }
            }
        }
    }

    @Override
    public void prepare() throws BlockException {
        List<ChildEdge> leading = edgesToSwitch();
        List<BlockNode> reopening = parentsToReopen(leading);
        // Later flushes of those that are led away do not come here any more (F1).
        if (from.isOpenThroughout() && !from.isFailed()) {
            from.flush();
        }
        // What is left to write of tables goes to the child where they are.
        for (BlockNode parent : reopening) {
            closed.add(parent);
            parent.closeBetweenDrivers();
        }
        try (GraphLock.Locked locked = graph.lock().lock()) {
            for (ChildEdge edge : leading) {
                edge.switchTo(to);
                switched.add(edge);
            }
            graph.edgesChanged(locked);
        }
    }

    private List<ChildEdge> edgesToSwitch() throws BlockException {
        try (GraphLock.Locked locked = graph.lock().lock()) {
            for (BlockNode node : List.of(from, to)) {
                if (!graph.isKnown(locked, node) || node.holders().isClosing()) {
                    throw new BlockException(
                            Kind.NOT_FOUND, "Failed to find node with node-name='" + node.name() + "'");
                }
            }
            if (way == Way.INTO_FILTER && filteredBy(to) != from) {
                throw new BlockException(
                        Kind.BUSY, "'" + to.name() + "' is no filter over '" + from.name() + "' any more");
            }
            Set<BlockNode> neededByTo = new LinkedHashSet<>();
            DrainControl.addWithChildren(to, neededByTo);
            List<ChildEdge> leading = new ArrayList<>();
            for (ChildEdge edge : from.parentEdges()) {
                BlockNode parent = edge.parent();
                if (parent != null && parent != to && neededByTo.contains(parent)) {
                    throw new BlockException(
                            Kind.INVALID,
                            "Making '" + to.name() + "' a " + edge.name() + " child of '" + parent.name()
                                    + "' would create a cycle");
                }
                if (parent != to) {
                    leading.add(edge);
                }
            }
            return leading;
        }
    }

    /** Those that keep tables in the child. Refused before the first of them is closed. */
    private List<BlockNode> parentsToReopen(List<ChildEdge> leading) throws BlockException {
        List<BlockNode> parents = new ArrayList<>();
        try (GraphLock.Locked locked = graph.lock().lock()) {
            for (ChildEdge edge : leading) {
                BlockNode parent = edge.parent();
                if (parent == null || !edge.has(ChildRole.METADATA)) {
                    continue;
                }
                // A view of a snapshot reads the tables through the node whose snapshot it is.
                BlockNode origin = parent.origin();
                (origin == null ? parent : origin).holders().requireNoViews(locked);
                if (parent.reopening() == null) {
                    throw new BlockException(
                            Kind.UNSUPPORTED, "Node '" + parent.name() + "' can't be led to another child");
                }
                parents.add(parent);
            }
        }
        return parents;
    }

    @Override
    public void apply() throws BlockException {
        while (!closed.isEmpty()) {
            BlockNode parent = closed.get(0);
            open(parent);
            closed.remove(0);
            opened.add(parent);
        }
    }

    @Override
    public void abort() throws BlockException {
        for (BlockNode parent : opened) {
            closed.add(parent);
            parent.closeBetweenDrivers();
        }
        opened.clear();
        try (GraphLock.Locked locked = graph.lock().lock()) {
            for (ChildEdge edge : switched.reversed()) {
                edge.switchTo(from);
            }
            graph.edgesChanged(locked);
        }
        switched.clear();
        BlockException failure = null;
        // Each for itself: one that can't be opened again takes no other with it.
        for (BlockNode parent : closed) {
            try {
                open(parent);
            } catch (BlockException e) {
                parent.endBetweenDrivers();
                failure = failure == null ? e : failure;
            }
        }
        closed.clear();
        if (failure != null) {
            throw failure;
        }
    }

    private static void open(BlockNode parent) throws BlockException {
        DriverReopening how = parent.reopening();
        if (how != null) {
            how.openAs(how.mode());
        }
    }
}
