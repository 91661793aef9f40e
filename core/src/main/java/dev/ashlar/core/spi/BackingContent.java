package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import java.lang.foreign.MemorySegment;

/** What stands behind all that an image has not allocated, for a driver that has to hide it. */
public interface BackingContent {
    /** From here on it shows zeros. */
    long lengthBytes() throws BlockException;

    /** @param guestOffset any; behind the end zeros are read */
    void read(long guestOffset, MemorySegment destination) throws BlockException;
}
