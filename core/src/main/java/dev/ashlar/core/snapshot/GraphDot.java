package dev.ashlar.core.snapshot;

import dev.ashlar.core.ChildRole;
import dev.ashlar.core.snapshot.SnapshotGraph.Edge;
import dev.ashlar.core.snapshot.SnapshotGraph.Layer;
import dev.ashlar.core.snapshot.SnapshotGraph.Snapshot;
import dev.ashlar.core.spi.PrintableName;
import dev.ashlar.core.spi.SnapshotComparable.Usage;
import java.util.Optional;

/** Writes a {@link SnapshotGraph} in the language of Graphviz: layers are boxes, snapshots are notes beside them. Source: the DOT language. */
final class GraphDot {
    private GraphDot() {}

    static String of(SnapshotGraph graph) {
        StringBuilder text = new StringBuilder(1024);
        text.append("digraph layers {\n    rankdir=TB;\n    node [shape=box];\n");
        for (Layer layer : graph.layers()) {
            String label = PrintableName.of(layer.fileName()) + "\n" + layer.driver() + ", "
                    + GraphText.size(layer.lengthBytes()) + (layer.readOnly() ? ", read-only" : "")
                    + usage(layer.live());
            text.append("    ")
                    .append(quote(layer.node()))
                    .append(" [label=")
                    .append(quote(label))
                    .append("];\n");
            int number = 0;
            for (Snapshot snapshot : layer.snapshots()) {
                String id = quote(layer.node() + "/snapshot/" + number++);
                String words = "snapshot " + PrintableName.of(snapshot.info().id()) + "\n"
                        + PrintableName.of(snapshot.info().name()) + usage(snapshot.usage());
                text.append("    ")
                        .append(id)
                        .append(" [shape=note, label=")
                        .append(quote(words))
                        .append("];\n");
                text.append("    ").append(quote(layer.node())).append(" -> ").append(id);
                text.append(" [style=dotted, arrowhead=none];\n");
            }
        }
        for (Edge edge : graph.edges()) {
            text.append("    ").append(quote(edge.parent())).append(" -> ").append(quote(edge.child()));
            text.append(" [label=").append(quote(PrintableName.of(edge.name())));
            text.append(edge.roles().contains(ChildRole.COW) ? ", style=dashed];\n" : "];\n");
        }
        return text.append("}\n").toString();
    }

    private static String usage(Optional<Usage> usage) {
        return usage.isEmpty()
                ? ""
                : "\n" + GraphText.size(usage.get().exclusiveBytes()) + " alone, "
                        + GraphText.size(usage.get().sharedBytes()) + " shared";
    }

    private static String quote(String string) {
        StringBuilder text = new StringBuilder(string.length() + 2).append('"');
        for (int i = 0; i < string.length(); i++) {
            char c = string.charAt(i);
            if (c == '\n') {
                text.append("\\n");
            } else {
                text.append(c == '"' || c == '\\' ? "\\" : "").append(c);
            }
        }
        return text.append('"').toString();
    }
}
