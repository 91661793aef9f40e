package dev.ashlar.cli.img;

import dev.ashlar.core.BlockNode;
import dev.ashlar.core.ChildEdge;
import dev.ashlar.core.ChildRole;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;

/** Steps along a chain of backing files, through filters. */
final class BackingChain {
    private BackingChain() {}

    /** The node that answers for what the image at or under this node has not allocated. */
    static Optional<BlockNode> backing(BlockNode node) {
        Optional<BlockNode> own = node.backing();
        if (own.isPresent()) {
            return own;
        }
        for (ChildEdge edge : node.children()) {
            if (edge.roles().contains(ChildRole.FILTERED)) {
                return backing(edge.node());
            }
        }
        return Optional.empty();
    }

    /** Whether a node of the chain goes by that name, which may be relative to the image above it. */
    static boolean isNamed(BlockNode above, BlockNode node, String name) {
        return NodeNames.shown(node).equals(Images.resolve(above.fileName(), name))
                || isSameFile(node.fileName(), Images.resolve(above.fileName(), name));
    }

    private static boolean isSameFile(String one, String two) {
        try {
            return one.equals(two) || Files.isSameFile(Path.of(one), Path.of(two));
        } catch (IOException | InvalidPathException e) {
            return false;
        }
    }
}
