package dev.ashlar.nativeio.codec;

import java.lang.foreign.MemorySegment;

/** Compresses one block after the other, each on its own. For one thread at a time. */
public interface BlockCompressor extends AutoCloseable {
    /** The compressed form is larger than the destination. */
    int NO_ROOM = -1;

    /**
     * Compresses a block.
     *
     * @param source 1 byte up to the block size that the codec was made for
     * @param destination at most as many bytes as the block size; content undefined after {@link #NO_ROOM}
     * @return bytes of the destination that were filled, or {@link #NO_ROOM}
     * @throws IllegalStateException if closed, or while another thread uses the codec
     */
    int compress(MemorySegment source, MemorySegment destination);

    /** Frees what the library holds. @throws IllegalStateException if closed, or while another thread uses the codec */
    @Override
    void close();
}
