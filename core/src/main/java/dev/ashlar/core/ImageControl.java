package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.Amendable;
import dev.ashlar.core.spi.CheckProgress;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.ProtocolInstance;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.DoubleConsumer;

/**
 * What a user has done to the image as a whole, on the node where he is at the moment: each operation drains it and runs alone, and one that
 * changes the image is refused to a reader (G5). {@link BlockBackend} has the contracts.
 */
final class ImageControl {
    private final BlockBackend user;

    ImageControl(BlockBackend user) {
        this.user = user;
    }

    /** What a driver with a capability does to its image. */
    @FunctionalInterface
    interface Change<C> {
        void apply(C capability) throws BlockException;
    }

    /** Has the topmost driver change its image. @param otherwise what to say of one that can't */
    <C> void change(Class<C> type, String otherwise, Change<C> change) throws BlockException {
        BlockNode node = user.root();
        Optional<C> capability = node.capability(type);
        if (capability.isEmpty()) {
            throw new BlockException(Kind.UNSUPPORTED, otherwise);
        }
        requireWritable(node);
        node.<Boolean>whileDrained(() -> {
            change.apply(capability.get());
            return true;
        });
    }

    /** @see BlockBackend#check(Checkable.Repair, Consumer, CheckProgress) */
    CheckReport check(Checkable.Repair repair, Consumer<String> findings, CheckProgress progress)
            throws BlockException {
        BlockNode node = user.root();
        Optional<Checkable> checkable = node.capability(Checkable.class);
        if (checkable.isEmpty()) {
            throw new BlockException(Kind.UNSUPPORTED, "This image format does not support checks");
        }
        if (repair != Checkable.Repair.NONE) {
            requireWritable(node);
        }
        return node.whileDrained(() -> checkable.get().check(repair, findings, progress));
    }

    /** @see BlockBackend#amend */
    void amend(Map<String, String> options, DoubleConsumer progress) throws BlockException {
        BlockNode node = user.root();
        requireWritable(node);
        try (CommonDrain drain = CommonDrain.begin(List.of(node))) {
            assert drain.standstillNanos() == 0;
            Optional<Amendable> amendable = node.capability(Amendable.class);
            if (amendable.isEmpty()) {
                throw new BlockException(
                        Kind.UNSUPPORTED,
                        "Format driver '" + node.driverName() + "' does not support option amendment");
            }
            node.holders().requireNoViews();
            amendable
                    .get()
                    .amend(options, lengthBytes -> node.layer().truncate(lengthBytes, Preallocation.OFF), progress);
            node.<Boolean>whileDriverClosed(() -> true);
        }
    }

    /** @see BlockBackend#resize */
    void resize(long lengthBytes, Preallocation preallocation) throws BlockException {
        user.requireWriter();
        user.root().<Boolean>whileDrained(() -> {
            user.layer().truncate(lengthBytes, preallocation);
            return true;
        });
    }

    /** @see BlockBackend#allocatedBytes */
    long allocatedBytes() throws BlockException {
        return allocatedBytes(user.root());
    }

    private static long allocatedBytes(BlockNode node) throws BlockException {
        if (node.layer().instance() instanceof ProtocolInstance protocol) {
            return protocol.allocatedBytes();
        }
        if (node.driver().standsForFile()) {
            return -1;
        }
        long sum = 0;
        for (ChildEdge child : node.edges()) {
            if (!child.has(ChildRole.COW)) {
                long bytes = allocatedBytes(child.node());
                if (bytes < 0) {
                    return -1;
                }
                sum += bytes;
            }
        }
        return sum;
    }

    private void requireWritable(BlockNode node) throws BlockException {
        user.requireWriter();
        node.layer().requireWritable();
    }
}
