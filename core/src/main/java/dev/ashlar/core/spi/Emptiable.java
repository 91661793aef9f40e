package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;

/** A format that can give up all content of the live disk at once, so that its backing file, or zeros, show. Called on a drained, writable node. */
public interface Emptiable {
    /** All-or-nothing, also across a power cut. Snapshots keep what they have. */
    void makeEmpty() throws BlockException;
}
