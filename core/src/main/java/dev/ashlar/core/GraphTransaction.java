package dev.ashlar.core;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Changes of a graph that happen together or not at all: edges led to other nodes, and modes of nodes, while users go on. Collect changes,
 * then {@link #commit}. Used by one thread, once.
 *
 * <p>The order is that of G4: control locks, drain, then the graph's lock for each look and each change, and the end of the drain last.
 * What users ask for meanwhile is held back and goes to where the change has led them (D7).
 */
public final class GraphTransaction {
    private final BlockGraph graph;
    private final List<GraphChange> changes = new ArrayList<>();
    private boolean over;

    GraphTransaction(BlockGraph graph) {
        this.graph = graph;
    }

    /**
     * Leads all users and parents of a node to another one, except those that the other one needs itself: the way to put a filter or an
     * overlay on top, both opened over {@code from}, and the way back.
     *
     * @param to shows the same content at that moment; that is for the caller to see to
     */
    public GraphTransaction replace(BlockNode from, BlockNode to) {
        if (from == to) {
            throw new IllegalArgumentException("node '" + from.name() + "' would replace itself");
        }
        changes.add(new EdgeSwitch(graph, from, to));
        return this;
    }

    /** Puts a filter, opened over {@code below}, between that node and all that used it. */
    public GraphTransaction insert(BlockNode below, BlockNode filter) {
        if (!isOver(filter, below)) {
            throw new IllegalArgumentException("'" + filter.name() + "' is no filter over '" + below.name() + "'");
        }
        return replace(below, filter);
    }

    /** Takes a filter out: who used it uses its child. The filter closes if nobody keeps it. */
    public GraphTransaction remove(BlockNode filter) {
        for (ChildEdge edge : filter.edges()) {
            if (edge.has(ChildRole.FILTERED)) {
                return replace(filter, edge.node());
            }
        }
        throw new IllegalArgumentException("'" + filter.name() + "' is no filter");
    }

    /**
     * Makes a node and what it keeps its content in (not its backing file) read-only or writable; users that write lose or get the
     * permission with it.
     */
    public GraphTransaction setReadOnly(BlockNode node, boolean readOnly) {
        changes.add(new ModeChange(graph, node, readOnly, Map.of()));
        return this;
    }

    /** Opens a node's driver again with other options of its own; those not named stay. */
    public GraphTransaction reopen(BlockNode node, Map<String, String> options) {
        changes.add(new ModeChange(graph, node, node.isReadOnly(), Map.copyOf(options)));
        return this;
    }

    /**
     * Does it all.
     *
     * @throws BlockException PERMISSION, READ_ONLY, LOCKED if the result is not allowed, INVALID for a loop, or what a driver says that
     *     could not be opened again; then all is as it was before
     * @throws IllegalStateException if called twice, or from inside a request of one of the nodes (D9)
     */
    public void commit() throws BlockException {
        if (over) {
            throw new IllegalStateException("the transaction is over");
        }
        over = true;
        if (changes.isEmpty()) {
            return;
        }
        Set<BlockNode> touched = new LinkedHashSet<>();
        for (GraphChange change : changes) {
            change.addTouched(touched);
        }
        try (CommonDrain drain = CommonDrain.begin(List.copyOf(touched))) {
            assert drain.standstillNanos() == 0;
            graph.changes().lock();
            try {
                applyAll();
            } finally {
                graph.changes().unlock();
            }
        }
        for (BlockNode node : touched) {
            graph.closeIfUnneeded(node);
        }
    }

    private void applyAll() throws BlockException {
        List<GraphChange> begun = new ArrayList<>();
        try {
            for (GraphChange change : changes) {
                begun.add(change);
                change.prepare();
            }
            PermissionUpdate.run(graph);
            for (GraphChange change : changes) {
                change.apply();
            }
        } catch (BlockException | RuntimeException e) {
            for (GraphChange change : begun.reversed()) {
                try {
                    change.abort();
                } catch (BlockException second) {
                    e.addSuppressed(second);
                }
            }
            PermissionUpdate.relax(graph);
            throw e;
        }
    }

    private static boolean isOver(BlockNode filter, BlockNode below) {
        for (ChildEdge edge : filter.edges()) {
            if (edge.has(ChildRole.FILTERED) && edge.node() == below) {
                return true;
            }
        }
        return false;
    }
}
