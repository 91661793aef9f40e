package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;

/** A format whose virtual size can change. Called on a drained, writable node. */
public interface Resizable {
    /** @param lengthBytes new virtual size; formats say in the exception what they refuse and why */
    void resize(long lengthBytes, Preallocation preallocation) throws BlockException;
}
