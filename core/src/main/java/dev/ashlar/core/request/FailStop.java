package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import org.jspecify.annotations.Nullable;

/**
 * The sticky failure of a node (F1, R9): after a flush or a metadata write failed, nobody knows what is on disk, so nothing is
 * written and no flush succeeds until the node is opened again.
 */
public final class FailStop {
    private volatile @Nullable BlockException cause;

    /** Fails the node; the first cause stays. */
    public void fail(BlockException e) {
        if (cause == null) {
            cause = e;
        }
    }

    /** The driver was opened again. */
    void reset() {
        cause = null;
    }

    public boolean isFailed() {
        return cause != null;
    }

    /** @throws BlockException if the node failed before */
    public void check() throws BlockException {
        BlockException c = cause;
        if (c != null) {
            throw new BlockException(
                    c.kind(), c.getMessage() + " (failed earlier; open the image again)", c.reason(), c);
        }
    }
}
