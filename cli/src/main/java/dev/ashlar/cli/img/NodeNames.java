package dev.ashlar.cli.img;

import dev.ashlar.cli.output.JsonObject;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.NodeDescription;

/** File names of nodes as users see them: plain where that says enough, else <code>json:{…}</code>. */
public final class NodeNames {
    private NodeNames() {}

    /** The name that opens the same content again. */
    public static String shown(BlockNode node) {
        NodeDescription description = node.description();
        String plain = description.plainFileName();
        return plain != null
                ? plain
                : "json:" + JsonObject.of(description.options()).toLine();
    }

    /** The name of the file at the primary end of a node's first edge, or of the node itself where it has none. */
    public static String shownFile(BlockNode node) {
        return shown(node.children().isEmpty() ? node : node.children().get(0).node());
    }
}
