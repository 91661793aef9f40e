package dev.ashlar.core.request;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Aligned native buffers for padding and bouncing, reused. Sizes are powers of two from 4 KiB to 4 MiB; requests that need more are cut
 * by their callers. A buffer that is not given back is left to the garbage collector.
 */
final class BufferPool {
    /** Alignment of each buffer: a page, which suffices for O_DIRECT everywhere. */
    static final int ALIGNMENT_BYTES = 4096;

    /** The longest piece in which large requests are bounced. */
    static final int PIECE_BYTES = 1 << 20;

    static final int MAX_BYTES = 4 << 20;

    private static final int MIN_BITS = 12;
    private static final int CLASSES = 11;
    private static final int KEPT_PER_CLASS = 8;

    private static final AtomicReferenceArray<MemorySegment> FREE =
            new AtomicReferenceArray<>(CLASSES * KEPT_PER_CLASS);

    private BufferPool() {}

    /** A buffer of at least that size, content undefined. */
    static MemorySegment acquire(long lengthBytes) {
        if (lengthBytes > MAX_BYTES) {
            throw new IllegalArgumentException("buffer of " + lengthBytes + " bytes");
        }
        int size = sizeClass(lengthBytes);
        for (int i = size * KEPT_PER_CLASS; i < (size + 1) * KEPT_PER_CLASS; i++) {
            if (FREE.getPlain(i) != null) {
                MemorySegment buffer = FREE.getAndSet(i, null);
                if (buffer != null) {
                    return buffer;
                }
            }
        }
        return Arena.ofAuto().allocate(1L << (size + MIN_BITS), ALIGNMENT_BYTES);
    }

    /** Takes back a whole buffer (no slice) that nobody uses any more. */
    static void release(MemorySegment buffer) {
        int size = sizeClass(buffer.byteSize());
        for (int i = size * KEPT_PER_CLASS; i < (size + 1) * KEPT_PER_CLASS; i++) {
            if (FREE.getPlain(i) == null && FREE.compareAndSet(i, null, buffer)) {
                return;
            }
        }
    }

    private static int sizeClass(long lengthBytes) {
        return Math.max(0, 64 - Long.numberOfLeadingZeros(Math.max(1, lengthBytes) - 1) - MIN_BITS);
    }
}
