package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import org.jspecify.annotations.Nullable;

/** A format whose virtual size can change. Called on a drained, writable node. */
public interface Resizable {
    /**
     * The new part of a disk that grows reads as zeros, from the moment on at which the new size is durable: also where the backing file is longer than the disk
     * was.
     *
     * @param lengthBytes new virtual size; formats say in the exception what they refuse and why
     * @param backing null where nothing is behind what is not allocated
     */
    void resize(long lengthBytes, Preallocation preallocation, @Nullable BackingContent backing) throws BlockException;
}
