package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Leads the edges above one node to another. Drivers that keep tables in the child are opened again over the new one. */
final class EdgeSwitch implements GraphChange {
    private final BlockGraph graph;
    private final BlockNode from;
    private final BlockNode to;
    private final List<ChildEdge> switched = new ArrayList<>();
    /** Parents whose driver is closed, and those where it was opened again. */
    private final List<BlockNode> closed = new ArrayList<>();

    private final List<BlockNode> opened = new ArrayList<>();

    EdgeSwitch(BlockGraph graph, BlockNode from, BlockNode to) {
        this.graph = graph;
        this.from = from;
        this.to = to;
    }

    @Override
    public void addTouched(Set<BlockNode> into) {
        into.add(from);
        into.add(to);
        try (GraphLock.Locked locked = graph.lock().lock()) {
            locked.requireValid();
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
        // What is left to write of tables goes to the child where they are.
        for (ChildEdge edge : leading) {
            BlockNode parent = edge.parent();
            if (parent != null && edge.has(ChildRole.METADATA)) {
                if (parent.reopening() == null) {
                    throw new BlockException(
                            Kind.UNSUPPORTED, "Node '" + parent.name() + "' can't be led to another child");
                }
                closed.add(parent);
                parent.layer().closeInstance();
            }
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
                if (!graph.isKnown(locked, node) || node.isClosing()) {
                    throw new BlockException(
                            Kind.NOT_FOUND, "Failed to find node with node-name='" + node.name() + "'");
                }
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
            parent.layer().closeInstance();
        }
        opened.clear();
        try (GraphLock.Locked locked = graph.lock().lock()) {
            for (ChildEdge edge : switched.reversed()) {
                edge.switchTo(from);
            }
            graph.edgesChanged(locked);
        }
        switched.clear();
        for (BlockNode parent : closed) {
            open(parent);
        }
        closed.clear();
    }

    private static void open(BlockNode parent) throws BlockException {
        DriverReopening how = parent.reopening();
        if (how != null) {
            how.openAs(how.mode());
        }
    }
}
