package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ProtocolInstance;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The permissions of all edges after a change: computed from the top down, checked, carried to the locks of the files, and only then
 * entered into the edges. Refused as a whole (G5). The caller holds the graph's change lock and not its lock.
 */
final class PermissionUpdate {
    private record Granted(EnumSet<Permission> used, EnumSet<Permission> shared) {}

    private final Map<ChildEdge, Granted> before = new LinkedHashMap<>();
    private final Map<BlockNode, BlockNode.LocksTaken> wanted = new LinkedHashMap<>();

    private PermissionUpdate() {}

    /**
     * @throws BlockException PERMISSION naming both users, the node and the permissions; READ_ONLY; LOCKED by another process; then all
     *     permissions and locks are as before
     */
    static void run(BlockGraph graph) throws BlockException {
        PermissionUpdate update = new PermissionUpdate();
        try (GraphLock.Locked locked = graph.lock().lock()) {
            boolean done = false;
            try {
                update.compute(graph, locked);
                done = true;
            } finally {
                if (!done) {
                    update.restore(locked);
                }
            }
        }
        update.takeLocks(graph);
    }

    /** After an edge went away or a change was undone: what is left goes together; a lock that can't be loosened stays as it is. */
    static void relax(BlockGraph graph) {
        try {
            run(graph);
        } catch (BlockException e) {
            assert e.kind() != Kind.PERMISSION : "less use can't conflict: " + e.getMessage();
        }
    }

    private void compute(BlockGraph graph, GraphLock.Locked locked) throws BlockException {
        Set<BlockNode> ordered = new LinkedHashSet<>();
        for (BlockNode node : graph.known(locked)) {
            DrainControl.addWithParents(node, ordered);
        }
        for (BlockNode node : ordered) {
            if (node.layer().isClosed() && node.holders().isClosing()) {
                continue;
            }
            check(node);
            // Of a file that is being closed the locks go with it.
            if (node.layer().instance() instanceof ProtocolInstance
                    && !node.holders().isClosing()) {
                wanted.put(
                        node, new BlockNode.LocksTaken(PermissionRules.usedOf(node), PermissionRules.sharedOf(node)));
            }
            for (ChildEdge edge : node.edges()) {
                before.put(edge, new Granted(edge.used(), edge.shared()));
                if (node.origin() == null) {
                    PermissionRules.ofChild(edge, node.mode(), node);
                } else {
                    // A view of a snapshot reads what its origin's permissions cover.
                    edge.permit(EnumSet.noneOf(Permission.class), EnumSet.allOf(Permission.class));
                }
            }
        }
    }

    /** What anyone uses, all others share; and nobody writes to what is read-only. */
    private static void check(BlockNode node) throws BlockException {
        List<ChildEdge> users = node.parentEdges();
        for (ChildEdge user : users) {
            for (ChildEdge other : users) {
                if (user != other && !other.shared().containsAll(user.used())) {
                    throw conflict(node, user, other);
                }
            }
            if (!node.mode().writable() && user.used().contains(Permission.WRITE)) {
                throw new BlockException(Kind.READ_ONLY, "Block node is read-only");
            }
        }
    }

    private static BlockException conflict(BlockNode node, ChildEdge user, ChildEdge other) {
        StringBuilder missing = new StringBuilder();
        for (Permission permission : user.used()) {
            if (!other.shared().contains(permission)) {
                missing.append(missing.isEmpty() ? "" : ", ").append(permission.label());
            }
        }
        return new BlockException(
                Kind.PERMISSION,
                "Permission conflict on node '" + node.name() + "': permissions '" + missing + "' are both required by "
                        + use(node, user) + " and unshared by " + use(node, other) + ".");
    }

    private static String use(BlockNode node, ChildEdge edge) {
        return edge.userDescription() + " (uses node '" + node.name() + "' as '" + edge.name() + "' child)";
    }

    private void takeLocks(BlockGraph graph) throws BlockException {
        List<BlockNode> taken = new ArrayList<>();
        Map<BlockNode, BlockNode.LocksTaken> former = new LinkedHashMap<>();
        try {
            for (Map.Entry<BlockNode, BlockNode.LocksTaken> want : wanted.entrySet()) {
                BlockNode node = want.getKey();
                BlockNode.LocksTaken held = node.locks();
                if (want.getValue().equals(held) || !(node.layer().instance() instanceof ProtocolInstance file)) {
                    continue;
                }
                file.updatePermissions(want.getValue().used(), want.getValue().shared());
                taken.add(node);
                if (held != null) {
                    former.put(node, held);
                }
                node.rememberLocks(want.getValue());
            }
        } catch (BlockException e) {
            giveBack(taken, former);
            try (GraphLock.Locked locked = graph.lock().lock()) {
                restore(locked);
            }
            throw e;
        }
    }

    private static void giveBack(List<BlockNode> taken, Map<BlockNode, BlockNode.LocksTaken> former) {
        for (BlockNode node : taken) {
            BlockNode.LocksTaken held = former.get(node);
            if (held == null) {
                held = new BlockNode.LocksTaken(EnumSet.noneOf(Permission.class), EnumSet.allOf(Permission.class));
            }
            if (node.layer().instance() instanceof ProtocolInstance file) {
                try {
                    file.updatePermissions(held.used(), held.shared());
                    node.rememberLocks(held);
                } catch (BlockException e) {
                    // Locks that are too strict keep others out; they harm nobody.
                }
            }
        }
    }

    private void restore(GraphLock.Locked locked) {
        locked.requireValid();
        before.forEach((edge, granted) -> edge.permit(granted.used(), granted.shared()));
    }
}
