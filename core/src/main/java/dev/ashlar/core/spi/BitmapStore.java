package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.bitmap.NodeBitmaps;

/**
 * A format that keeps dirty bitmaps in its image. What is persistent among the node's bitmaps it stores when it is closed, by itself.
 */
public interface BitmapStore {
    /**
     * Adds what the image has to the bitmaps of the node, by {@link NodeBitmaps#addStored}. Called once, directly after the instance was
     * opened, before any request.
     *
     * @throws BlockException if the image's bitmaps can't be read; the node is not opened then
     */
    void loadBitmaps(NodeBitmaps bitmaps) throws BlockException;

    /** Whether the image's format keeps bitmaps in general. */
    default boolean canKeepBitmaps() {
        return true;
    }

    /**
     * Says whether one more bitmap can be stored.
     *
     * @throws BlockException why not
     */
    void requireRoomFor(String name, long granularityBytes) throws BlockException;

    /** Removes a bitmap from the image, durably. Nothing if it is not stored there yet. Called on a drained node. */
    void removeStored(String name) throws BlockException;
}
