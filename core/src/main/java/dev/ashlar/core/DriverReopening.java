package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.request.LayerAccess;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.ProtocolInstance;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * How a node's driver was opened, to open it again over the same children. Edges stay in place meanwhile: they keep the children alive and
 * the locks of files held, but the node does nothing there.
 */
final class DriverReopening {
    private final BlockNode node;
    private final ImageLimits limits;
    /** How the driver was opened last; changed by the thread that holds the node's control lock. */
    private volatile Mode mode;

    /** @param options of the driver itself */
    record Mode(Map<String, String> options, EnumSet<Flag> flags) {
        /** This mode with a flag set or taken away. */
        Mode with(Flag flag, boolean on) {
            EnumSet<Flag> otherFlags = EnumSet.copyOf(flags);
            if (on) {
                otherFlags.add(flag);
            } else {
                otherFlags.remove(flag);
            }
            return new Mode(options, otherFlags);
        }

        /** This mode with other options. */
        Mode with(Map<String, String> all) {
            return new Mode(Map.copyOf(all), flags);
        }
    }

    DriverReopening(BlockNode node, Map<String, String> options, EnumSet<Flag> flags, ImageLimits limits) {
        this.node = node;
        this.limits = limits;
        this.mode = new Mode(Map.copyOf(options), flags);
    }

    Mode mode() {
        return mode;
    }

    /** Puts a driver opened in that mode into the node, whose own was closed; a file's stays open until the new one is. */
    void openAs(Mode wanted) throws BlockException {
        DriverInstance former = node.layer().instance();
        DriverInstance fresh = open(wanted);
        if (former instanceof ProtocolInstance before && fresh instanceof ProtocolInstance after) {
            handLocksOver(before, after);
        }
        put(fresh);
        mode = wanted;
        if (former instanceof ProtocolInstance) {
            former.close();
        }
    }

    /** The node has this instance then, with its bitmaps, or as before a closed one. */
    private void put(DriverInstance fresh) throws BlockException {
        node.putInstance(fresh);
        try {
            node.layer().loadBitmaps();
        } catch (BlockException | RuntimeException e) {
            try {
                node.closeBetweenDrivers();
            } catch (BlockException second) {
                e.addSuppressed(second);
            }
            throw e;
        }
    }

    /** Two openings of one file exclude each other like two processes, so the new one gets its locks after the old one's are gone. */
    private void handLocksOver(ProtocolInstance before, ProtocolInstance after) throws BlockException {
        BlockNode.LocksTaken locks = node.locks();
        if (locks == null) {
            return;
        }
        boolean done = false;
        try {
            before.updatePermissions(EnumSet.noneOf(Permission.class), EnumSet.allOf(Permission.class));
            after.updatePermissions(locks.used(), locks.shared());
            done = true;
        } finally {
            if (!done) {
                after.close();
                before.updatePermissions(locks.used(), locks.shared());
            }
        }
    }

    /** See {@link BlockNode#whileDriverClosed}. */
    <T> T around(BlockNode.ControlOperation<T> operation) throws BlockException {
        node.holders().requireNoViews();
        T result;
        try {
            node.closeBetweenDrivers();
            result = operation.run();
        } catch (BlockException | RuntimeException e) {
            BlockException second = reopen();
            if (second != null) {
                e.addSuppressed(second);
            }
            throw e;
        }
        BlockException failure = reopen();
        if (failure != null) {
            throw failure;
        }
        return result;
    }

    /** @return why the driver could not be opened; then the node has none, and no children */
    private @Nullable BlockException reopen() {
        try {
            put(open(mode));
            return null;
        } catch (BlockException e) {
            node.endBetweenDrivers();
            dropChildren();
            return new BlockException(
                    e.kind(),
                    "Could not open the driver of node '" + node.name() + "' again, it has none now: " + e.getMessage(),
                    e.reason(),
                    e);
        }
    }

    private DriverInstance open(Mode wanted) throws BlockException {
        BlockDriver driver = node.driver();
        if (driver.kind() == DriverKind.PROTOCOL) {
            return driver.open(new OpenContext(
                    node.name(),
                    wanted.options(),
                    wanted.flags(),
                    null,
                    null,
                    node.graph().secrets(),
                    node.graph().notices(),
                    limits));
        }
        ChildEdge primary = node.edges().get(0);
        if (!primary.node().isOpenThroughout()) {
            throw new BlockException(Kind.NO_MEDIUM, "Device '" + primary.node().name() + "' has no medium");
        }
        OpenContext.References references = new OpenContext.References() {
            @Override
            public ChildAccess open(String childName, Set<ChildRole> roles, ImageReference reference)
                    throws BlockException {
                return openAgain(childName);
            }

            @Override
            public ChildAccess open(String childName, Set<ChildRole> roles) throws BlockException {
                return openAgain(childName);
            }

            @Override
            public boolean describe(String childName) {
                return hasChild(childName);
            }
        };
        return driver.open(new OpenContext(
                node.name(),
                wanted.options(),
                wanted.flags(),
                accessTo(primary),
                references,
                node.graph().secrets(),
                node.graph().notices(),
                limits));
    }

    private boolean hasChild(String childName) {
        for (ChildEdge edge : node.edges()) {
            if (edge.name().equals(childName)) {
                return true;
            }
        }
        return false;
    }

    private ChildAccess openAgain(String childName) throws BlockException {
        for (ChildEdge edge : node.edges()) {
            if (edge.name().equals(childName)) {
                return accessTo(edge);
            }
        }
        throw new BlockException(Kind.NOT_FOUND, "Node '" + node.name() + "' has no child '" + childName + "'");
    }

    private LayerAccess accessTo(ChildEdge edge) {
        BlockNode child = edge.node();
        return edge.carry(
                new LayerAccess(child.layer(), child.fileName(), node.layer().failStop()));
    }

    /** Nobody leads to the children any more: they are closed unless others need them. */
    private void dropChildren() {
        var edges = node.edges();
        node.dropChildren();
        for (ChildEdge edge : edges) {
            try {
                node.graph().lifecycle().detach(edge);
            } catch (BlockException e) {
                // What failed before is what the caller hears of.
            }
        }
    }
}
