package dev.ashlar.core.snapshot;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.ChildEdge;
import dev.ashlar.core.ChildRole;
import dev.ashlar.core.CommonDrain;
import dev.ashlar.core.spi.SnapshotCapable;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The way from a node to the one whose driver keeps its snapshots: the node itself, or the first one down its fallback children.
 *
 * @param path from the node to the carrier, both included
 */
record SnapshotCarrier(List<BlockNode> path) {
    /** The carrier, or null where there is none. */
    static @Nullable SnapshotCarrier find(BlockNode from) {
        List<BlockNode> path = new ArrayList<>(3);
        BlockNode at = from;
        while (at != null) {
            path.add(at);
            if (at.capability(SnapshotCapable.class).isPresent()) {
                return new SnapshotCarrier(path);
            }
            at = fallback(at);
        }
        return null;
    }

    /**
     * The child to ask when a node's driver has no snapshots: the primary one, only if no other child carries data, metadata or filtered
     * content, which would have to be snapshotted as well.
     */
    static @Nullable BlockNode fallback(BlockNode of) {
        BlockNode primary = null;
        for (ChildEdge edge : of.children()) {
            if (edge.roles().contains(ChildRole.PRIMARY)) {
                primary = edge.node();
            } else if (holdsContent(edge)) {
                return null;
            }
        }
        return primary;
    }

    private static boolean holdsContent(ChildEdge edge) {
        return edge.roles().contains(ChildRole.DATA)
                || edge.roles().contains(ChildRole.METADATA)
                || edge.roles().contains(ChildRole.FILTERED);
    }

    static void requireMedium(BlockNode node) throws BlockException {
        if (!node.isInserted()) {
            throw new BlockException(Kind.NO_MEDIUM, "Device '" + node.name() + "' has no medium");
        }
    }

    BlockNode node() {
        return path.get(path.size() - 1);
    }

    SnapshotCapable capable() throws BlockException {
        return capability(SnapshotCapable.class);
    }

    <T> T capability(Class<T> type) throws BlockException {
        BlockNode node = node();
        Optional<T> found = node.capability(type);
        if (found.isEmpty()) {
            throw new BlockException(
                    Kind.UNSUPPORTED,
                    "Block driver '" + node.driverName() + "' does not support this for internal snapshots");
        }
        return found.get();
    }

    /** What a user's node takes, the carrier must take as well. */
    boolean isWritable() {
        for (BlockNode node : path) {
            if (node.isReadOnly() || !node.isInserted()) {
                return false;
            }
        }
        return true;
    }

    /**
     * Runs while no control operation of others, and so no change of the graph, runs on a node and on all that a look for its carrier
     * passes: a driver that is just being opened again is no reason to refuse. Requests go on.
     */
    static <T> T whileControlled(BlockNode from, BlockNode.ControlOperation<T> operation) throws BlockException {
        return from.whileControlled(() -> {
            BlockNode next = from.capability(SnapshotCapable.class).isPresent() ? null : fallback(from);
            return next == null ? operation.run() : whileControlled(next, operation);
        });
    }

    /**
     * As {@link #whileControlled}, with the way drained and no control operation of others on what stands above it: for what closes drivers
     * on the way.
     */
    static <T> T whileAllStandStill(BlockNode from, BlockNode.ControlOperation<T> operation) throws BlockException {
        while (true) {
            List<BlockNode> way = wayFrom(from);
            try (CommonDrain drain = CommonDrain.begin(List.of(from), way, () -> {})) {
                assert drain.standstillNanos() == 0;
                if (way.containsAll(wayFrom(from))) {
                    return operation.run();
                }
            }
        }
    }

    /** The nodes below that a look for the carrier passes. */
    private static List<BlockNode> wayFrom(BlockNode from) {
        List<BlockNode> way = new ArrayList<>(2);
        BlockNode at = from;
        while (at != null && at.capability(SnapshotCapable.class).isEmpty()) {
            at = fallback(at);
            if (at != null) {
                way.add(at);
            }
        }
        return way;
    }

    /** Runs with every node on the way standing still, what they hold back in memory written to the carrier. */
    <T> T whileDrained(BlockNode.ControlOperation<T> operation) throws BlockException {
        return whileDrained(0, operation);
    }

    private <T> T whileDrained(int from, BlockNode.ControlOperation<T> operation) throws BlockException {
        BlockNode at = path.get(from);
        if (from == path.size() - 1) {
            return at.whileDrained(operation);
        }
        return at.whileDrained(() -> {
            at.flush();
            return whileDrained(from + 1, operation);
        });
    }
}
