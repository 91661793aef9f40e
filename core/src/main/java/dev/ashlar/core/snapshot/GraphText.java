package dev.ashlar.core.snapshot;

import dev.ashlar.core.snapshot.SnapshotGraph.Edge;
import dev.ashlar.core.snapshot.SnapshotGraph.Layer;
import dev.ashlar.core.snapshot.SnapshotGraph.Snapshot;
import dev.ashlar.core.spi.PrintableName;
import dev.ashlar.core.spi.SnapshotComparable.Usage;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Draws a {@link SnapshotGraph} as a tree of lines. A layer that several others use is drawn once. */
final class GraphText {
    private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    private final SnapshotGraph graph;
    private final StringBuilder text = new StringBuilder(512);
    private final Set<String> drawn = new HashSet<>();

    GraphText(SnapshotGraph graph) {
        this.graph = graph;
    }

    String text() {
        draw(graph.layers().get(0), "", "");
        return text.toString();
    }

    private void draw(Layer layer, String edgeName, String indent) {
        text.append(edgeName)
                .append(PrintableName.of(layer.fileName()))
                .append(" (")
                .append(layer.driver())
                .append(", ")
                .append(size(layer.lengthBytes()))
                .append(layer.readOnly() ? ", read-only)" : ")")
                .append(usage(layer.live()));
        if (!drawn.add(layer.node())) {
            text.append(" (drawn above)\n");
            return;
        }
        text.append('\n');
        List<Edge> edges = graph.edgesOf(layer.node());
        int left = layer.snapshots().size() + edges.size();
        for (Snapshot snapshot : layer.snapshots()) {
            text.append(indent).append(--left == 0 ? "└─ " : "├─ ");
            snapshot(snapshot);
        }
        for (Edge edge : edges) {
            boolean last = --left == 0;
            text.append(indent).append(last ? "└─ " : "├─ ");
            Optional<Layer> child = graph.layer(edge.child());
            if (child.isPresent()) {
                draw(child.get(), PrintableName.of(edge.name()) + ": ", indent + (last ? "   " : "│  "));
            }
        }
    }

    private void snapshot(Snapshot snapshot) {
        SnapshotInfo info = snapshot.info();
        text.append("snapshot ")
                .append(PrintableName.of(info.id()))
                .append(" '")
                .append(PrintableName.of(info.name()))
                .append("' (")
                .append(size(info.diskSizeBytes()));
        if (info.vmStateSizeBytes() > 0) {
            text.append(", state of the machine ").append(size(info.vmStateSizeBytes()));
        }
        text.append(')').append(usage(snapshot.usage())).append('\n');
    }

    private static String usage(Optional<Usage> usage) {
        return usage.isEmpty()
                ? ""
                : ": " + size(usage.get().exclusiveBytes()) + " alone, "
                        + size(usage.get().sharedBytes()) + " shared";
    }

    /** At most one decimal, in the largest unit that gives 1 or more. */
    static String size(long bytes) {
        int unit = 0;
        long scale = 1;
        while (unit < UNITS.length - 1 && bytes / scale >= 1024) {
            scale <<= 10;
            unit++;
        }
        long whole = bytes / scale;
        long tenth = (long) ((bytes % scale) * 10.0 / scale);
        return (tenth == 0 || unit == 0 ? Long.toString(whole) : whole + "." + tenth) + " " + UNITS[unit];
    }
}
