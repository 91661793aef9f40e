package dev.ashlar.core;

import dev.ashlar.core.request.Parking;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Changes of a graph that happen together or not at all: edges led to other nodes, and modes of nodes, while users go on. Collect changes,
 * then {@link #commit}. Used by one thread, once.
 *
 * <p>The order is that of G4: control locks of the nodes and of all above them, drain, then the graph's lock for each look and each change,
 * and the end of the drain last.
 * What users ask for meanwhile is held back and goes to where the change has led them (D7).
 */
public final class GraphTransaction {
    /** Between two attempts, while somebody opens a node over one that must stand still. */
    private static final long PAUSE_NANOS = 500_000;

    private final BlockGraph graph;
    private final List<GraphChange> changes = new ArrayList<>();
    /** What somebody used before the change. What nobody did may be about to get its first user. */
    private final List<BlockNode> used = new ArrayList<>();

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
        changes.add(new EdgeSwitch(graph, EdgeSwitch.Way.ELSEWHERE, from, to));
        return this;
    }

    /** Puts a filter, opened over {@code below}, between that node and all that used it. */
    public GraphTransaction insert(BlockNode below, BlockNode filter) {
        if (EdgeSwitch.filteredBy(filter) != below) {
            throw new IllegalArgumentException("'" + filter.name() + "' is no filter over '" + below.name() + "'");
        }
        changes.add(new EdgeSwitch(graph, EdgeSwitch.Way.INTO_FILTER, below, filter));
        return this;
    }

    /** Takes a filter out: who used it uses its child. The filter closes if nobody keeps it. */
    public GraphTransaction remove(BlockNode filter) {
        BlockNode below = EdgeSwitch.filteredBy(filter);
        if (below == null) {
            throw new IllegalArgumentException("'" + filter.name() + "' is no filter");
        }
        changes.add(new EdgeSwitch(graph, EdgeSwitch.Way.OUT_OF_FILTER, filter, below));
        return this;
    }

    /**
     * Makes a node and what it keeps its content in (not its backing file) read-only or writable; users that write lose or get the
     * permission with it.
     */
    public GraphTransaction setReadOnly(BlockNode node, boolean readOnly) {
        modeOf(node).become(readOnly);
        return this;
    }

    /**
     * Opens a node's driver again with other options of its own; those not named stay. {@code cache.direct} goes for what it keeps its
     * content in, too. May come together with {@link #setReadOnly} of the same node.
     *
     * @throws BlockException INVALID for an option that can't change
     */
    public GraphTransaction reopen(BlockNode node, Map<String, String> options) throws BlockException {
        modeOf(node).become(options);
        return this;
    }

    private ModeChange modeOf(BlockNode node) {
        for (GraphChange change : changes) {
            if (change instanceof ModeChange mode && mode.isOf(node)) {
                return mode;
            }
        }
        ModeChange mode = new ModeChange(graph, node);
        changes.add(mode);
        return mode;
    }

    /**
     * Does it all.
     *
     * @throws BlockException PERMISSION, READ_ONLY, LOCKED if the result is not allowed, INVALID for a loop, BUSY if a driver would have to be
     *     opened again of which a snapshot is open for reading, or what a driver says that could not be opened again; then all is as it was
     *     before
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
        Set<BlockNode> touched = touched();
        while (!attempt(touched)) {
            Parking.parkNanos(this, PAUSE_NANOS);
            touched = touched();
        }
        for (BlockNode node : used) {
            graph.lifecycle().closeIfUnneeded(node);
        }
    }

    private Set<BlockNode> touched() {
        Set<BlockNode> touched = new LinkedHashSet<>();
        for (GraphChange change : changes) {
            change.addTouched(touched);
        }
        return touched;
    }

    /** @return false if others changed the graph before everything stood still, so that more has to */
    private boolean attempt(Set<BlockNode> touched) throws BlockException {
        try (CommonDrain drain = CommonDrain.begin(List.copyOf(touched))) {
            assert drain.standstillNanos() == 0;
            graph.changes().lock();
            try {
                if (!touched.containsAll(touched()) || !drain.covers(touched) || isBuiltUpon(touched)) {
                    return false;
                }
                rememberUsed(touched);
                applyAll();
                return true;
            } finally {
                for (BlockNode node : touched) {
                    node.endBetweenDrivers();
                }
                graph.changes().unlock();
            }
        }
    }

    /** Whether a node is being opened over one of these: it is not known yet, stands not still, and reads its tables. */
    private boolean isBuiltUpon(Set<BlockNode> touched) {
        try (GraphLock.Locked locked = graph.lock().lock()) {
            locked.requireValid();
            for (BlockNode node : touched) {
                for (ChildEdge edge : node.parentEdges()) {
                    if (edge.isBeingOpened()) {
                        return true;
                    }
                }
            }
            return false;
        }
    }

    private void rememberUsed(Set<BlockNode> touched) {
        try (GraphLock.Locked locked = graph.lock().lock()) {
            locked.requireValid();
            for (BlockNode node : touched) {
                if (!node.parentEdges().isEmpty()) {
                    used.add(node);
                }
            }
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
}
