package dev.ashlar.core;

import org.jspecify.annotations.Nullable;

/**
 * How a range of a node starts.
 *
 * @param data there is content to read, in {@code hostFile} where that is known
 * @param zero it reads as zeros
 * @param allocated a layer of the chain has the range itself, be it as data or as zeros
 * @param encoded compressed or encrypted: not to be read from the host file directly
 * @param depth the layer that answers: 0 is the node asked, 1 its backing file, …
 * @param hostOffset offset in {@code hostFile}, or -1
 * @param hostFile name of the file that holds the bytes, or null
 * @param lengthBytes how far the answer reaches, at least 1
 */
public record BlockStatus(
        boolean data,
        boolean zero,
        boolean allocated,
        boolean encoded,
        int depth,
        long hostOffset,
        @Nullable String hostFile,
        long lengthBytes) {}
