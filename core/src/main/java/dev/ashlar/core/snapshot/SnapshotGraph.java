package dev.ashlar.core.snapshot;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.ChildEdge;
import dev.ashlar.core.ChildRole;
import dev.ashlar.core.spi.SnapshotCapable;
import dev.ashlar.core.spi.SnapshotComparable;
import dev.ashlar.core.spi.SnapshotComparable.Usage;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The layers of a disk as a graph at one moment: nodes, edges, the backing chain, the internal snapshots of each layer and what each of them
 * takes. Plain data, parents before children; it holds nothing open.
 *
 * @param layers the first one is where the walk began
 */
public record SnapshotGraph(List<Layer> layers, List<Edge> edges) {
    public SnapshotGraph {
        layers = List.copyOf(layers);
        edges = List.copyOf(edges);
    }

    /**
     * One node.
     *
     * @param node its name, unique in the graph
     * @param lengthBytes virtual size
     * @param live what the live disk takes, where the driver can tell
     */
    public record Layer(
            String node,
            String driver,
            String fileName,
            long lengthBytes,
            boolean readOnly,
            Optional<Usage> live,
            List<Snapshot> snapshots) {
        public Layer {
            snapshots = List.copyOf(snapshots);
        }
    }

    /**
     * One internal snapshot.
     *
     * @param usage bytes on the host that it holds alone, which its deletion gives back, and that it shares, where the driver can tell
     */
    public record Snapshot(SnapshotInfo info, Optional<Usage> usage) {}

    /** From a node to one of its children. */
    public record Edge(String parent, String name, Set<ChildRole> roles, String child) {
        public Edge {
            Set<ChildRole> sorted = EnumSet.noneOf(ChildRole.class);
            sorted.addAll(roles);
            roles = java.util.Collections.unmodifiableSet(sorted);
        }
    }

    /** Looks at a node and all below it. Each layer with snapshots stands still while its tables are read. */
    public static SnapshotGraph of(BlockNode root) throws BlockException {
        List<Layer> layers = new ArrayList<>();
        List<Edge> edges = new ArrayList<>();
        List<BlockNode> waiting = new ArrayList<>();
        Set<String> seen = new java.util.HashSet<>();
        waiting.add(root);
        seen.add(root.name());
        while (!waiting.isEmpty()) {
            BlockNode node = waiting.remove(waiting.size() - 1);
            layers.add(layer(node));
            List<ChildEdge> children = node.children();
            for (ChildEdge edge : children) {
                edges.add(new Edge(
                        node.name(), edge.name(), edge.roles(), edge.node().name()));
            }
            for (int i = children.size() - 1; i >= 0; i--) {
                BlockNode child = children.get(i).node();
                if (seen.add(child.name())) {
                    waiting.add(child);
                }
            }
        }
        return new SnapshotGraph(layers, edges);
    }

    private static Layer layer(BlockNode node) throws BlockException {
        List<Snapshot> snapshots = new ArrayList<>();
        Optional<Usage> live = Optional.empty();
        if (node.capability(SnapshotCapable.class).isPresent()) {
            Snapshots of = Snapshots.of(node);
            boolean tells = node.capability(SnapshotComparable.class).isPresent();
            live = tells ? Optional.of(of.usage(null)) : live;
            for (SnapshotInfo info : of.list()) {
                snapshots.add(new Snapshot(info, tells ? Optional.of(of.usage(info)) : Optional.empty()));
            }
        }
        return new Layer(
                node.name(),
                node.driverName(),
                node.fileName(),
                node.lengthBytes(),
                node.isReadOnly(),
                live,
                snapshots);
    }

    /** The layer of that name. */
    public Optional<Layer> layer(String node) {
        for (Layer layer : layers) {
            if (layer.node().equals(node)) {
                return Optional.of(layer);
            }
        }
        return Optional.empty();
    }

    /** The edges from a layer to its children, in their order. */
    public List<Edge> edgesOf(String node) {
        List<Edge> own = new ArrayList<>();
        for (Edge edge : edges) {
            if (edge.parent().equals(node)) {
                own.add(edge);
            }
        }
        return own;
    }

    /** The images from the first layer down the backing files; filters in between are stepped over. */
    public List<Layer> backingChain() {
        List<Layer> chain = new ArrayList<>();
        Layer at = layers.get(0);
        while (at != null) {
            chain.add(at);
            at = backingOf(at);
        }
        return chain;
    }

    private @Nullable Layer backingOf(Layer layer) {
        Layer at = layer;
        while (at != null) {
            Layer next = null;
            for (Edge edge : edgesOf(at.node())) {
                if (edge.roles().contains(ChildRole.COW)) {
                    return layer(edge.child()).orElse(null);
                }
                if (edge.roles().contains(ChildRole.FILTERED)) {
                    next = layer(edge.child()).orElse(null);
                }
            }
            at = next;
        }
        return null;
    }

    /** A tree of lines for a terminal, each ended by a line feed. Control characters in names are escaped. */
    public String toText() {
        return new GraphText(this).text();
    }

    /** The graph in the language of Graphviz. */
    public String toDot() {
        return GraphDot.of(this);
    }

    /** The graph as JSON in ASCII, ended by a line feed. */
    public String toJson() {
        return GraphJson.of(this);
    }
}
