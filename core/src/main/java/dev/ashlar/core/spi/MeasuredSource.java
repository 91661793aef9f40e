package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockStatus;
import dev.ashlar.core.bitmap.DirtyBitmap;
import java.util.List;

/** The image whose content a new image is to hold, in whole sectors of 512 bytes. */
public interface MeasuredSource {
    /** Virtual size in bytes, a multiple of 512. */
    long lengthBytes() throws BlockException;

    /**
     * How the rest of the disk from an offset on starts, looked at through the whole backing chain.
     *
     * @param guestOffset before the end
     */
    BlockStatus status(long guestOffset) throws BlockException;

    /** Whether the image can keep bitmaps, whether it does or not. */
    boolean canKeepBitmaps();

    /** The bitmaps of the image, of any kind. */
    List<DirtyBitmap> bitmaps();
}
