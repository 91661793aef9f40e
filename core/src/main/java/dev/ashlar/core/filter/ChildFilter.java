package dev.ashlar.core.filter;

import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.FilterInstance;

/** A filter that takes what its child takes, so that a request is padded once, at the top. */
abstract class ChildFilter implements FilterInstance {
    private final ChildAccess child;

    ChildFilter(ChildAccess child) {
        this.child = child;
    }

    @Override
    public final ChildAccess child() {
        return child;
    }

    /** The child bounces and cuts by itself what concerns memory and length. */
    @Override
    public BlockLimits limits() {
        BlockLimits below = child.limits();
        int alignment = below.requestAlignmentBytes();
        return new BlockLimits(
                alignment,
                1,
                Math.max(BlockLimits.NONE.maxTransferBytes(), alignment),
                below.discardAlignmentBytes(),
                below.writeZeroesAlignmentBytes());
    }

    @Override
    public void close() throws dev.ashlar.core.BlockException {}
}
