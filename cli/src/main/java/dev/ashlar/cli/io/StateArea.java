package dev.ashlar.cli.io;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.ChildEdge;
import dev.ashlar.core.ChildRole;
import dev.ashlar.core.VmState;
import dev.ashlar.core.spi.VmStateCapable;
import java.lang.foreign.MemorySegment;

/** The state of the machine that an image keeps beside the disk ({@code -b}): in the first node that can, from the top down along primary children. */
final class StateArea {
    private StateArea() {}

    static void read(BlockBackend backend, long offset, MemorySegment destination) throws BlockException {
        try (VmState state = find(backend.root()).openVmState()) {
            state.read(offset, destination);
        }
    }

    static void write(BlockBackend backend, long offset, MemorySegment source) throws BlockException {
        try (VmState state = find(backend.root()).openVmState()) {
            state.write(offset, source);
        }
    }

    private static BlockNode find(BlockNode top) throws BlockException {
        BlockNode node = top;
        while (node != null) {
            if (node.capability(VmStateCapable.class).isPresent()) {
                return node;
            }
            BlockNode below = null;
            for (ChildEdge edge : node.children()) {
                if (edge.roles().contains(ChildRole.PRIMARY)) {
                    below = edge.node();
                }
            }
            node = below;
        }
        throw new BlockException(Kind.UNSUPPORTED, "No node keeps the state of a machine");
    }
}
