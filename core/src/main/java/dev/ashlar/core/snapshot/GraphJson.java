package dev.ashlar.core.snapshot;

import dev.ashlar.core.ChildRole;
import dev.ashlar.core.snapshot.SnapshotGraph.Edge;
import dev.ashlar.core.snapshot.SnapshotGraph.Layer;
import dev.ashlar.core.snapshot.SnapshotGraph.Snapshot;
import dev.ashlar.core.spi.SnapshotComparable.Usage;
import java.util.Optional;

/**
 * Writes a {@link SnapshotGraph} as JSON (RFC 8259): {@code layers} with their {@code snapshots}, and {@code edges}. Pure ASCII; half a
 * surrogate pair becomes U+FFFD, so any name gives valid text.
 */
final class GraphJson {
    private final StringBuilder text = new StringBuilder(1024);
    private boolean first = true;

    private GraphJson() {}

    static String of(SnapshotGraph graph) {
        GraphJson json = new GraphJson();
        json.open('{');
        json.key("layers").open('[');
        for (Layer layer : graph.layers()) {
            json.layer(layer);
        }
        json.close(']');
        json.key("edges").open('[');
        for (Edge edge : graph.edges()) {
            json.edge(edge);
        }
        json.close(']').close('}');
        return json.text.append('\n').toString();
    }

    private void layer(Layer layer) {
        element().open('{');
        key("node").string(layer.node());
        key("driver").string(layer.driver());
        key("filename").string(layer.fileName());
        key("virtual-size").number(layer.lengthBytes());
        key("read-only").raw(Boolean.toString(layer.readOnly()));
        usage(layer.live());
        key("snapshots").open('[');
        for (Snapshot snapshot : layer.snapshots()) {
            snapshot(snapshot);
        }
        close(']').close('}');
    }

    private void snapshot(Snapshot snapshot) {
        SnapshotInfo info = snapshot.info();
        element().open('{');
        key("id").string(info.id());
        key("name").string(info.name());
        key("vm-state-size").number(info.vmStateSizeBytes());
        key("date-sec").number(info.dateSeconds());
        key("date-nsec").number(info.dateNanos());
        key("vm-clock-nsec").number(info.vmClockNanos());
        if (info.instructionCount().isPresent()) {
            key("icount").number(info.instructionCount().getAsLong());
        }
        key("disk-size").number(info.diskSizeBytes());
        usage(snapshot.usage());
        close('}');
    }

    private void usage(Optional<Usage> usage) {
        if (usage.isPresent()) {
            key("exclusive-bytes").number(usage.get().exclusiveBytes());
            key("shared-bytes").number(usage.get().sharedBytes());
        }
    }

    private void edge(Edge edge) {
        element().open('{');
        key("parent").string(edge.parent());
        key("name").string(edge.name());
        key("roles").open('[');
        for (ChildRole role : edge.roles()) {
            element().string(role.name());
        }
        close(']');
        key("child").string(edge.child());
        close('}');
    }

    private GraphJson element() {
        text.append(first ? "" : ", ");
        first = true;
        return this;
    }

    private GraphJson key(String name) {
        element().string(name);
        text.append(": ");
        first = true;
        return this;
    }

    private GraphJson open(char bracket) {
        text.append(bracket);
        first = true;
        return this;
    }

    private GraphJson close(char bracket) {
        text.append(bracket);
        first = false;
        return this;
    }

    private void number(long value) {
        raw(Long.toString(value));
    }

    private void raw(String value) {
        text.append(value);
        first = false;
    }

    private void string(String value) {
        text.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == '"' || c == '\\') {
                text.append('\\').append(c);
            } else if (c >= 0x20 && c < 0x7f) {
                text.append(c);
            } else {
                unicode(isLone(value, i) ? '\ufffd' : c);
            }
        }
        text.append('"');
        first = false;
    }

    private void unicode(char c) {
        text.append("\\u");
        for (int shift = 12; shift >= 0; shift -= 4) {
            text.append(Character.forDigit(c >> shift & 15, 16));
        }
    }

    private static boolean isLone(String value, int at) {
        char c = value.charAt(at);
        if (Character.isHighSurrogate(c)) {
            return at + 1 == value.length() || !Character.isLowSurrogate(value.charAt(at + 1));
        }
        return Character.isLowSurrogate(c) && (at == 0 || !Character.isHighSurrogate(value.charAt(at - 1)));
    }
}
