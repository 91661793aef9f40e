package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import java.util.Map;
import java.util.function.DoubleConsumer;

/**
 * A format whose options can be changed after creation. Called on a drained, writable node; core opens the driver again afterwards, whether or not it
 * succeeded.
 */
public interface Amendable {
    /** How the size is changed: by core, which sees to what follows from that. */
    @FunctionalInterface
    interface SizeChange {
        /** @throws BlockException as {@link Resizable#resize} */
        void resize(long lengthBytes) throws BlockException;
    }

    /**
     * Changes options of the image: each of them as a whole or not at all, one after another.
     *
     * @param options by name as text, checked against {@link BlockDriver#amendOptions} for their names; sizes are plain digits
     * @param size resizes this very image, bitmaps and what a longer backing file would show included
     * @param progress takes the part that is done, 0 to 1
     * @throws BlockException INVALID or UNSUPPORTED for what the image can't become; then nothing was changed
     */
    void amend(Map<String, String> options, SizeChange size, DoubleConsumer progress) throws BlockException;
}
