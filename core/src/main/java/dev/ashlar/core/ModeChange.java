package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.OnOff;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.ProtocolInstance;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Makes a subtree read-only or writable, or changes options of its top, and opens its drivers again in the new mode: all are closed from
 * the top down, so that what is left to write of tables passes through what is still open, and opened from the bottom up.
 */
final class ModeChange implements GraphChange {
    private static final String DIRECT = "cache.direct";

    private final BlockGraph graph;
    private final BlockNode top;
    private @Nullable Boolean wantedReadOnly;
    private @Nullable Boolean wantedDirect;
    private final Map<String, String> options = new HashMap<>();

    /** How a node was, and how its driver is to be opened. */
    private record Former(
            BlockNode node,
            PermissionRules.Mode permissions,
            DriverReopening.Mode driver,
            DriverReopening.Mode wanted) {
        boolean isFile() {
            return node.layer().instance() instanceof ProtocolInstance;
        }
    }

    private final List<Former> former = new ArrayList<>();
    private boolean applying;

    ModeChange(BlockGraph graph, BlockNode top) {
        this.graph = graph;
        this.top = top;
    }

    boolean isOf(BlockNode node) {
        return top == node;
    }

    void become(boolean readOnly) {
        wantedReadOnly = readOnly;
    }

    /** @throws BlockException INVALID for options that say what the node is */
    void become(Map<String, String> different) throws BlockException {
        for (Map.Entry<String, String> option : different.entrySet()) {
            String name = option.getKey();
            if (name.equals(DIRECT)) {
                wantedDirect = OnOff.parse(name, option.getValue());
            } else if (NodeSpec.isCommon(name) || name.equals("filename")) {
                throw new BlockException(Kind.INVALID, "Cannot change the option '" + name + "'");
            } else {
                options.put(name, option.getValue());
            }
        }
    }

    @Override
    public void addTouched(Set<BlockNode> into) {
        try (GraphLock.Locked locked = graph.lock().lock()) {
            locked.requireValid();
            addContent(top, into);
        }
    }

    /** The node and what it keeps its content in, parents before children. */
    private static void addContent(BlockNode node, Set<BlockNode> into) {
        into.remove(node);
        into.add(node);
        for (ChildEdge edge : node.edges()) {
            if (!edge.has(ChildRole.COW)) {
                addContent(edge.node(), into);
            }
        }
    }

    @Override
    public void prepare() throws BlockException {
        try (GraphLock.Locked locked = graph.lock().lock()) {
            locked.requireValid();
            Set<BlockNode> content = new LinkedHashSet<>();
            addContent(top, content);
            boolean anything = false;
            for (BlockNode node : content) {
                anything |= isOther(node);
            }
            if (!anything) {
                return;
            }
            for (BlockNode node : content) {
                if (isOther(node) || !(node.layer().instance() instanceof ProtocolInstance)) {
                    requireReopenable(locked, node, content);
                    include(node);
                }
            }
        }
    }

    private boolean isOther(BlockNode node) {
        DriverReopening how = node.reopening();
        return (wantedReadOnly != null && node.isReadOnly() != wantedReadOnly)
                || (node == top && !options.isEmpty())
                || (how != null && !wanted(node, how.mode()).equals(how.mode()));
    }

    private DriverReopening.Mode wanted(BlockNode node, DriverReopening.Mode now) {
        DriverReopening.Mode wanted = now;
        if (wantedReadOnly != null) {
            wanted = wanted.with(Flag.READ_ONLY, wantedReadOnly);
        }
        if (wantedDirect != null) {
            wanted = wanted.with(Flag.DIRECT, wantedDirect);
        }
        return node == top && !options.isEmpty()
                ? wanted.with(node.driver().joinOptions(now.options(), options))
                : wanted;
    }

    private void requireReopenable(GraphLock.Locked locked, BlockNode node, Set<BlockNode> content)
            throws BlockException {
        DriverReopening how = node.reopening();
        if (how == null || !node.isOpenThroughout()) {
            throw new BlockException(Kind.UNSUPPORTED, "Node '" + node.name() + "' can't be opened again");
        }
        if (Boolean.FALSE.equals(wantedReadOnly)
                && node.isReadOnly()
                && how.mode().flags().contains(Flag.UNTRUSTED)) {
            throw new BlockException(Kind.PERMISSION, "Node '" + node.name() + "' is not trusted and stays read-only");
        }
        node.holders().requireNoViews(locked);
        for (ChildEdge edge : node.parentEdges()) {
            BlockNode parent = edge.parent();
            if (parent != null && edge.has(ChildRole.METADATA) && node != top && !content.contains(parent)) {
                throw new BlockException(
                        Kind.BUSY,
                        "Node '" + node.name() + "' can't be opened again while node '" + parent.name()
                                + "' keeps its tables there");
            }
        }
    }

    private void include(BlockNode node) {
        DriverReopening.Mode now = reopeningOf(node).mode();
        former.add(new Former(node, node.mode(), now, wanted(node, now)));
        if (wantedReadOnly != null && node.isReadOnly() != wantedReadOnly) {
            PermissionRules.Mode mode = node.mode();
            setMode(node, new PermissionRules.Mode(!wantedReadOnly, mode.noIo(), mode.forceShare()));
        }
    }

    private static void setMode(BlockNode node, PermissionRules.Mode mode) {
        node.changeMode(mode);
        for (ChildEdge edge : node.parentEdges()) {
            if (edge.isUser()) {
                boolean writes = mode.writable() && !edge.isReader();
                PermissionRules.ofBackend(edge, new PermissionRules.Mode(writes, mode.noIo(), mode.forceShare()));
            }
        }
    }

    @Override
    public void apply() throws BlockException {
        applying = true;
        for (Former was : former) {
            closeDriver(was);
        }
        for (Former was : former.reversed()) {
            open(was, was.wanted());
        }
    }

    /** A file stays open until its successor is: its locks are handed over. */
    private static void closeDriver(Former was) throws BlockException {
        if (!was.isFile() && !was.node().layer().isClosed()) {
            was.node().closeBetweenDrivers();
        }
    }

    private static void open(Former was, DriverReopening.Mode wanted) throws BlockException {
        BlockNode node = was.node();
        DriverReopening how = reopeningOf(node);
        if (!was.isFile() || !how.mode().equals(wanted)) {
            how.openAs(wanted);
        }
        node.layer().setReadOnly(wanted.flags().contains(Flag.READ_ONLY));
    }

    private static DriverReopening reopeningOf(BlockNode node) {
        DriverReopening how = node.reopening();
        if (how == null) {
            throw new IllegalStateException(node + " has no way to open it again");
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
        BlockException failure = null;
        if (applying) {
            // Each node for itself: one that can't be opened again takes no other with it.
            for (Former was : former) {
                failure = attempt(was, false, failure);
            }
            for (Former was : former.reversed()) {
                failure = attempt(was, true, failure);
            }
        }
        former.clear();
        if (failure != null) {
            throw failure;
        }
    }

    /** @return the first failure */
    private static @Nullable BlockException attempt(Former was, boolean open, @Nullable BlockException before) {
        try {
            if (open) {
                open(was, was.driver());
            } else {
                closeDriver(was);
            }
            return before;
        } catch (BlockException e) {
            if (open) {
                was.node().endBetweenDrivers();
            }
            return before == null ? e : before;
        }
    }
}
