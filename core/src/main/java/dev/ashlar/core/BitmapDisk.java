package dev.ashlar.core;

import dev.ashlar.core.bitmap.NodeBitmaps;
import dev.ashlar.core.spi.BitmapStore;
import dev.ashlar.core.spi.FilterInstance;
import dev.ashlar.core.spi.FormatInstance;
import java.util.Optional;

/** What a node's bitmaps ask it for. */
record BitmapDisk(BlockNode node) implements NodeBitmaps.Disk {
    @Override
    public String name() {
        return node.name();
    }

    @Override
    public long lengthBytes() throws BlockException {
        return node.layer().lengthBytes();
    }

    /** Of the node itself or, for filters and formats without clusters, of what they keep their content in. */
    @Override
    public long clusterBytes() throws BlockException {
        BlockNode at = node;
        while (true) {
            if (at.layer().instance() instanceof FormatInstance format
                    && format.info().clusterSizeBytes() > 0) {
                return format.info().clusterSizeBytes();
            }
            boolean passes = at.layer().instance() instanceof FilterInstance
                    || at.layer().instance() instanceof FormatInstance;
            if (!passes || at.edges().isEmpty()) {
                return 0;
            }
            at = at.edges().get(0).node();
        }
    }

    @Override
    public Optional<BitmapStore> store() {
        return node.capability(BitmapStore.class);
    }
}
