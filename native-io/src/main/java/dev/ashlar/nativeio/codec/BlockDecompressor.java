package dev.ashlar.nativeio.codec;

import java.lang.foreign.MemorySegment;

/** Decompresses one block after the other. Memory and work are bounded by the sizes of input and output, whatever the input says. For one thread at a time. */
public interface BlockDecompressor extends AutoCloseable {
    /**
     * Decompresses a block of which the exact size is known.
     *
     * @param source a complete stream, and any bytes behind it; at most as many bytes as the codec was made for
     * @param destination as long as the block, at most the block size that the codec was made for; content undefined after false
     * @return false if the stream is damaged, ends early, or holds more or fewer bytes than the destination
     * @throws IllegalStateException if closed, or while another thread uses the codec
     */
    boolean decompress(MemorySegment source, MemorySegment destination);

    /** Frees what the library holds. @throws IllegalStateException if closed, or while another thread uses the codec */
    @Override
    void close();
}
