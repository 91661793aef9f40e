package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;

/** A FORMAT driver that can tell how large the file of a new image gets, without creating one. Any thread. */
public interface SizeMeasurable {
    /**
     * The size of an image that {@link BlockDriver#create} would make with these options, empty or filled with the content of the source.
     *
     * @throws BlockException INVALID for options that no image can have; or what reading the source failed with
     */
    MeasuredSize measure(MeasureRequest request) throws BlockException;
}
