package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;

/**
 * Where one stretch of a write goes. It begins at the guest offset asked for. Core writes the guest's bytes to {@code child}
 * at {@code hostOffset}, and the copied edges before and after them, then calls {@link #commit}; whatever goes wrong before,
 * {@link #abort}. Exactly one of both is called, once, by the thread that asked for the plan. No metadata lock is held in
 * between; core keeps other requests off the {@linkplain FormatInstance#allocationUnitBytes allocation units} touched.
 */
public interface WritePlan {
    /** Guest bytes covered, at least 1, at most what was asked for. */
    long lengthBytes();

    /** The child that holds the space: the image file, or an external data file. */
    ChildAccess child();

    /** Host offset of the first guest byte. */
    long hostOffset();

    /**
     * Bytes directly before the guest range that belong to newly allocated space and must be filled with the present content
     * of the node (read through the node before the write); 0 for writes in place.
     */
    long copyBeforeBytes();

    /** Bytes directly behind the guest range, likewise. */
    long copyAfterBytes();

    /** Links the tables to the written space. Nothing for a write in place. */
    void commit() throws BlockException;

    /** Gives the space back. Nothing for a write in place. Never throws: a failure fails the node. */
    void abort();
}
