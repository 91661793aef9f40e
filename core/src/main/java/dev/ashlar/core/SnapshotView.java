package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.request.FailStop;
import dev.ashlar.core.request.FormatLayer;
import dev.ashlar.core.request.Layer;
import dev.ashlar.core.request.LayerMode;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.SnapshotCapable;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A node that shows an internal snapshot of another one: its own format instance over the same children, read-only. */
final class SnapshotView {
    private SnapshotView() {}

    /** While nothing else opens, applies, deletes or opens the driver again: what is found stays until the view keeps it. */
    static BlockBackend open(BlockGraph graph, BlockNode origin, SnapshotInfo snapshot) throws BlockException {
        return origin.whileControlled(() -> openControlled(graph, origin, snapshot));
    }

    private static BlockBackend openControlled(BlockGraph graph, BlockNode origin, SnapshotInfo snapshot)
            throws BlockException {
        Optional<SnapshotCapable> capable = origin.capability(SnapshotCapable.class);
        if (capable.isEmpty()) {
            throw new BlockException(
                    Kind.UNSUPPORTED, "Device '" + origin.name() + "' does not support internal snapshots of its own");
        }
        String name = graph.lifecycle().reserveName(null);
        FormatInstance instance = null;
        try {
            instance = capable.get().openSnapshot(snapshot);
            List<ChildEdge> edges = new ArrayList<>(2);
            Layer backing = null;
            for (ChildEdge edge : origin.edges()) {
                ChildEdge shared = new ChildEdge(edge.name(), edge.roles(), edge.node());
                edges.add(shared);
                if (edge.has(ChildRole.COW)) {
                    backing = edge.node().layer();
                }
            }
            LayerMode mode = new LayerMode(true, true, false);
            Layer layer = new FormatLayer(name, mode, new FailStop(), instance, backing);
            PermissionRules.Mode permissions =
                    new PermissionRules.Mode(false, false, origin.mode().forceShare());
            BlockNode node =
                    new BlockNode(graph, origin.driver(), origin.fileName(), layer, permissions, edges, origin);
            // Locks stay as the origin took them: the view reads, which the origin does as well.
            graph.lifecycle().add(node);
            ChildEdge root = ChildEdge.ofUser(null, node);
            PermissionRules.ofBackend(root, permissions);
            BlockBackend backend = new BlockBackend(graph, root, false);
            graph.lifecycle().attach(backend, root);
            instance = null;
            return backend;
        } finally {
            graph.lifecycle().releaseName(name);
            if (instance != null) {
                instance.close();
            }
        }
    }
}
