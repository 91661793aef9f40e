package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import org.jspecify.annotations.Nullable;

/**
 * How nodes come into a graph and leave it. A node stays as long as an edge from above, a view of one of its snapshots or the graph itself
 * keeps it; whoever takes the last of these away closes it, and what only it kept (D8). Any thread that is in no request; single edges
 * only, changes of several are a {@link GraphTransaction}'s.
 *
 * <p>Edges come and go under the change lock (G1), the graph's lock within. Drivers are closed with neither held (G4).
 */
final class NodeLifecycle {
    private final BlockGraph graph;
    private final GraphMembers members;

    NodeLifecycle(BlockGraph graph, GraphMembers members) {
        this.graph = graph;
        this.members = members;
    }

    /** A name for a node that is being opened: the wanted one, or a generated one. @throws BlockException INVALID, EXISTS */
    String reserveName(@Nullable String wanted) throws BlockException {
        try (GraphLock.Locked locked = graph.lock().lock()) {
            return members.reserveName(locked, wanted);
        }
    }

    /** Gives a reserved name back, be there a node of that name by now or not. */
    void releaseName(String name) {
        try (GraphLock.Locked locked = graph.lock().lock()) {
            members.releaseName(locked, name);
        }
    }

    /** Makes an open node known, with its edges; it stands still at once if a section covers it (D4). */
    void add(BlockNode node) {
        graph.changes().lock();
        try (GraphLock.Locked locked = graph.lock().lock()) {
            members.add(locked, node);
            for (ChildEdge edge : node.edges()) {
                edge.bind(node);
                if (!edge.node().parentEdges().contains(edge)) {
                    edge.node().parentEdges().add(edge);
                }
            }
            BlockNode origin = node.origin();
            if (origin != null) {
                origin.holders().addView(locked, 1);
            }
            graph.edgesChanged(locked);
        } finally {
            graph.changes().unlock();
        }
    }

    /** Keeps a node without a user. */
    void own(BlockNode node) {
        try (GraphLock.Locked locked = graph.lock().lock()) {
            members.own(locked, node);
        }
    }

    /** Counterpart of {@link #own}. @throws BlockException as {@link BlockGraph#closeNode} */
    void disown(BlockNode node) throws BlockException {
        try (GraphLock.Locked locked = graph.lock().lock()) {
            members.disown(locked, node);
        }
        closeIfUnneeded(node);
    }

    /**
     * Adds an edge, whose parent may still be being opened, if its permissions go together with those of others (G5).
     *
     * @throws BlockException NOT_FOUND if the child is being closed; PERMISSION, LOCKED; then nothing has changed
     */
    void attach(ChildEdge edge) throws BlockException {
        graph.changes().lock();
        try {
            BlockNode child = edge.node();
            try (GraphLock.Locked locked = graph.lock().lock()) {
                graph.requireChangeable(locked);
                if (child.holders().isClosing()) {
                    throw new BlockException(
                            Kind.NOT_FOUND, "Failed to find node with node-name='" + child.name() + "'");
                }
                child.parentEdges().add(edge);
            }
            boolean done = false;
            try {
                PermissionUpdate.run(graph);
                done = true;
            } finally {
                if (!done) {
                    try (GraphLock.Locked locked = graph.lock().lock()) {
                        locked.requireValid();
                        child.parentEdges().remove(edge);
                    }
                }
            }
        } finally {
            graph.changes().unlock();
        }
    }

    /** As {@link #attach(ChildEdge)}, for the edge of a user. @throws BlockException EXISTS, INVALID for the device's name as well */
    void attach(BlockBackend backend, ChildEdge edge) throws BlockException {
        try (GraphLock.Locked locked = graph.lock().lock()) {
            members.addBackend(locked, backend);
        }
        boolean done = false;
        try {
            attach(edge);
            done = true;
        } finally {
            if (!done) {
                forget(backend);
            }
        }
    }

    /** Removes an edge and closes what nobody needs any more. */
    void detach(ChildEdge edge) throws BlockException {
        BlockNode child;
        graph.changes().lock();
        try {
            try (GraphLock.Locked locked = graph.lock().lock()) {
                // Asked only now: until here the edge may be led elsewhere.
                child = edge.node();
                child.parentEdges().remove(edge);
                graph.edgesChanged(locked);
            }
            PermissionUpdate.relax(graph);
        } finally {
            graph.changes().unlock();
        }
        closeIfUnneeded(child);
    }

    /** As {@link #detach(ChildEdge)}, for the edge of a user. */
    void detach(BlockBackend backend, ChildEdge edge) throws BlockException {
        forget(backend);
        detach(edge);
    }

    /** Closes a node that has no users left, then its children. The first failure is thrown after all is closed (D8). */
    void closeIfUnneeded(BlockNode node) throws BlockException {
        // Not while a change is under way: it may be about to lead somebody here.
        graph.changes().lock();
        try (GraphLock.Locked locked = graph.lock().lock()) {
            if (!members.contains(locked, node)
                    || members.isOwned(locked, node)
                    || !node.holders().claimClosing(locked)) {
                return;
            }
        } finally {
            graph.changes().unlock();
        }
        BlockException failure = null;
        try {
            closeUnused(node);
        } catch (BlockException e) {
            failure = e;
        }
        for (ChildEdge edge : node.edges()) {
            try {
                detach(edge);
            } catch (BlockException e) {
                failure = failure == null ? e : failure;
            }
        }
        BlockNode origin = node.origin();
        if (origin != null) {
            try (GraphLock.Locked locked = graph.lock().lock()) {
                locked.requireValid();
                origin.holders().addView(locked, -1);
            }
            closeIfUnneeded(origin);
        }
        if (failure != null) {
            throw failure;
        }
    }

    /** Closes nodes that were kept only because a queue could still reach their files. */
    void closeLeftovers() throws BlockException {
        for (BlockNode node : graph.nodes().reversed()) {
            if (node.holders().isLeftover()) {
                closeIfUnneeded(node);
            }
        }
    }

    /** Closes all users and gives up what the graph itself keeps: nothing is left. The first failure is thrown after all is closed. */
    void closeAll() throws BlockException {
        GraphMembers.Keepers keepers;
        try (GraphLock.Locked locked = graph.lock().lock()) {
            keepers = members.close(locked);
        }
        BlockException failure = null;
        for (BlockBackend backend : keepers.backends()) {
            try {
                backend.close();
            } catch (BlockException e) {
                failure = failure == null ? e : failure;
            }
        }
        for (BlockNode node : keepers.owned()) {
            try {
                closeIfUnneeded(node);
            } catch (BlockException e) {
                failure = failure == null ? e : failure;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    private void closeUnused(BlockNode node) throws BlockException {
        node.controlLock().lock();
        try (DrainedSection section = node.drain()) {
            assert section.nodes().contains(node);
            // A driver that could not be opened again is closed already.
            if (!node.layer().isClosed()) {
                node.layer().closeInstance();
            }
        } finally {
            forget(node);
            node.controlLock().unlock();
        }
    }

    private void forget(BlockNode node) {
        graph.changes().lock();
        try (GraphLock.Locked locked = graph.lock().lock()) {
            members.remove(locked, node);
            graph.edgesChanged(locked);
        } finally {
            graph.changes().unlock();
        }
    }

    private void forget(BlockBackend backend) {
        try (GraphLock.Locked locked = graph.lock().lock()) {
            members.removeBackend(locked, backend);
        }
    }
}
