package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.ProtocolInstance;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Makes a subtree read-only or writable, and opens its drivers again in the new mode: from the bottom up when writing begins, from the top
 * down when it ends, so that nobody ever writes to what is read-only.
 */
final class ModeChange implements GraphChange {
    private final BlockGraph graph;
    private final BlockNode top;
    private final boolean readOnly;
    private final Map<String, String> options;

    /** How a node was, for the way back. */
    private record Former(BlockNode node, PermissionRules.Mode permissions, DriverReopening.Mode driver) {}

    private final List<Former> former = new ArrayList<>();
    private boolean applying;

    ModeChange(BlockGraph graph, BlockNode top, boolean readOnly, Map<String, String> options) {
        this.graph = graph;
        this.top = top;
        this.readOnly = readOnly;
        this.options = options;
    }

    @Override
    public void addTouched(Set<BlockNode> into) {
        try (GraphLock.Locked locked = graph.lock().lock()) {
            locked.requireValid();
            addContent(top, into);
        }
    }

    /** The node and what it keeps its content in. */
    private static void addContent(BlockNode node, Set<BlockNode> into) {
        if (into.add(node)) {
            for (ChildEdge edge : node.edges()) {
                if (!edge.has(ChildRole.COW)) {
                    addContent(edge.node(), into);
                }
            }
        }
    }

    @Override
    public void prepare() throws BlockException {
        try (GraphLock.Locked locked = graph.lock().lock()) {
            locked.requireValid();
            Set<BlockNode> content = new LinkedHashSet<>();
            addContent(top, content);
            for (BlockNode node : content) {
                boolean stays = node.isReadOnly() == readOnly && (node != top || options.isEmpty());
                DriverReopening how = node.reopening();
                if (stays) {
                    continue;
                }
                if (how == null || !node.isInserted()) {
                    throw new BlockException(Kind.UNSUPPORTED, "Node '" + node.name() + "' can't be opened again");
                }
                if (!readOnly && how.mode().flags().contains(Flag.UNTRUSTED)) {
                    throw new BlockException(
                            Kind.PERMISSION, "Node '" + node.name() + "' is not trusted and stays read-only");
                }
                former.add(new Former(node, node.mode(), how.mode()));
                setMode(
                        node,
                        new PermissionRules.Mode(
                                !readOnly, node.mode().noIo(), node.mode().forceShare()));
            }
        }
    }

    private static void setMode(BlockNode node, PermissionRules.Mode mode) {
        node.changeMode(mode);
        for (ChildEdge edge : node.parentEdges()) {
            if (edge.parent() == null) {
                PermissionRules.ofBackend(edge, mode);
            }
        }
    }

    @Override
    public void apply() throws BlockException {
        applying = true;
        closeDrivers();
        for (Former was : former.reversed()) {
            BlockNode node = was.node();
            boolean file = node.layer().instance() instanceof ProtocolInstance;
            if (!file || was.driver().flags().contains(Flag.READ_ONLY) != readOnly) {
                reopening(node).openAs(was.driver().changed(readOnly, node == top ? options : Map.of()));
            }
            node.layer().setReadOnly(readOnly);
        }
    }

    /** From the top down: what is left to write of tables passes through what is still open. */
    private void closeDrivers() throws BlockException {
        for (Former was : former) {
            BlockNode node = was.node();
            if (!(node.layer().instance() instanceof ProtocolInstance)
                    && !node.layer().isClosed()) {
                node.layer().closeInstance();
            }
        }
    }

    private static DriverReopening reopening(BlockNode node) {
        DriverReopening how = node.reopening();
        if (how == null) {
            throw new IllegalStateException(node + " lost the way to open it again");
        }
        return how;
    }

    @Override
    public void abort() throws BlockException {
        try (GraphLock.Locked locked = graph.lock().lock()) {
            locked.requireValid();
            for (Former was : former) {
                setMode(was.node(), was.permissions());
            }
        }
        if (applying) {
            closeDrivers();
            for (Former was : former.reversed()) {
                boolean file = was.node().layer().instance() instanceof ProtocolInstance;
                if (!file || !reopening(was.node()).mode().equals(was.driver())) {
                    reopening(was.node()).openAs(was.driver());
                }
                was.node().layer().setReadOnly(was.driver().flags().contains(Flag.READ_ONLY));
            }
        }
        former.clear();
    }
}
