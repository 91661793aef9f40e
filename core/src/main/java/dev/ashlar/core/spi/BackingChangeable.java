package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import org.jspecify.annotations.Nullable;

/** A format that can name another backing file, or none. Called on a drained, writable node. */
public interface BackingChangeable {
    /**
     * Names another backing file, durably and all-or-nothing, also across a power cut. What is open stays as it is; that the content fits is
     * for the caller to see to.
     *
     * @param reference null: none
     * @throws BlockException NO_SPACE if there is no room for the name; INVALID if it is too long
     */
    void changeBacking(@Nullable ImageReference reference) throws BlockException;
}
