package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.PrintableName;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a graph consists of: its nodes by name, the names that nodes being opened will have, the users, and the nodes that the graph itself
 * keeps. Bookkeeping alone: edges, permissions and drivers are not touched. Each look and each change shows that the caller holds the
 * graph's lock (G2).
 */
final class GraphMembers {
    private final Map<String, BlockNode> nodes = new LinkedHashMap<>();
    private final NodeNames names = new NodeNames();
    private final Set<BlockBackend> backends = new LinkedHashSet<>();
    private final Set<BlockNode> owned = new LinkedHashSet<>();
    private boolean closed;

    /** All nodes, in the order in which they were opened; a view. */
    Collection<BlockNode> nodes(GraphLock.Locked locked) {
        locked.requireValid();
        return nodes.values();
    }

    boolean contains(GraphLock.Locked locked, BlockNode node) {
        locked.requireValid();
        return nodes.get(node.name()) == node;
    }

    @Nullable
    BlockNode node(GraphLock.Locked locked, String name) {
        locked.requireValid();
        return nodes.get(name);
    }

    /** The node of that name, or the topmost one of the device of that name. @throws BlockException NOT_FOUND */
    BlockNode lookUp(GraphLock.Locked locked, String deviceOrNode) throws BlockException {
        locked.requireValid();
        BlockBackend device = device(deviceOrNode);
        BlockNode node = device != null ? device.root() : nodes.get(deviceOrNode);
        if (node == null) {
            String name = PrintableName.of(deviceOrNode);
            throw new BlockException(Kind.NOT_FOUND, "Cannot find device='" + name + "' nor node-name='" + name + "'");
        }
        return node;
    }

    /** A name for a node that is being opened: the wanted one, or a generated one. @throws BlockException INVALID, EXISTS */
    String reserveName(GraphLock.Locked locked, @Nullable String wanted) throws BlockException {
        locked.requireValid();
        if (closed) {
            throw new IllegalStateException("the graph is closed");
        }
        return names.reserve(wanted, nodes.keySet(), deviceNames());
    }

    void releaseName(GraphLock.Locked locked, String name) {
        locked.requireValid();
        names.release(name);
    }

    /** A node that is open now; its name is reserved no longer. */
    void add(GraphLock.Locked locked, BlockNode node) {
        locked.requireValid();
        names.release(node.name());
        nodes.put(node.name(), node);
    }

    void remove(GraphLock.Locked locked, BlockNode node) {
        locked.requireValid();
        nodes.remove(node.name());
    }

    /** @throws BlockException INVALID, EXISTS for the name of its device */
    void addBackend(GraphLock.Locked locked, BlockBackend backend) throws BlockException {
        locked.requireValid();
        String device = backend.deviceName();
        if (device != null) {
            names.checkDevice(device, nodes.keySet(), deviceNames());
        }
        backends.add(backend);
    }

    void removeBackend(GraphLock.Locked locked, BlockBackend backend) {
        locked.requireValid();
        backends.remove(backend);
    }

    /** Whether a backend is attached to the node itself. */
    boolean isUsedByBackend(GraphLock.Locked locked, BlockNode node) {
        locked.requireValid();
        for (BlockBackend backend : backends) {
            if (backend.root() == node) {
                return true;
            }
        }
        return false;
    }

    /** From now on the graph itself keeps the node open. */
    void own(GraphLock.Locked locked, BlockNode node) {
        locked.requireValid();
        owned.add(node);
    }

    boolean isOwned(GraphLock.Locked locked, BlockNode node) {
        locked.requireValid();
        return owned.contains(node);
    }

    /** Counterpart of {@link #own}. @throws BlockException BUSY while a node or a backend uses it; INVALID if it is not the graph's own */
    void disown(GraphLock.Locked locked, BlockNode node) throws BlockException {
        if (!isOwned(locked, node)) {
            throw new BlockException(Kind.INVALID, "Node " + node.name() + " is not owned by the monitor");
        }
        if (!node.parentEdges().isEmpty()) {
            throw new BlockException(Kind.BUSY, "Node " + node.name() + " is in use");
        }
        owned.remove(node);
    }

    /** What keeps nodes open, latest first. */
    record Keepers(List<BlockBackend> backends, List<BlockNode> owned) {}

    /** Takes no new nodes from now on, and keeps none itself any more. @return what is left to be closed */
    Keepers close(GraphLock.Locked locked) {
        locked.requireValid();
        closed = true;
        Keepers keepers = new Keepers(new ArrayList<>(backends).reversed(), new ArrayList<>(owned).reversed());
        owned.clear();
        return keepers;
    }

    private Set<String> deviceNames() {
        Set<String> devices = new LinkedHashSet<>();
        for (BlockBackend backend : backends) {
            String name = backend.deviceName();
            if (name != null) {
                devices.add(name);
            }
        }
        return devices;
    }

    private @Nullable BlockBackend device(String name) {
        for (BlockBackend backend : backends) {
            if (name.equals(backend.deviceName())) {
                return backend;
            }
        }
        return null;
    }
}
