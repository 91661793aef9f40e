package dev.ashlar.nativeio;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Memory at the addresses that direct I/O asks for. */
public final class AlignedBuffers {
    /**
     * Alignment that satisfies every block device: the largest common sector and the smallest page.
     */
    public static final int DEFAULT_ALIGNMENT_BYTES = 4096;

    private AlignedBuffers() {}

    /** Zero-filled memory of at least one byte at a multiple of {@link #DEFAULT_ALIGNMENT_BYTES}. */
    public static MemorySegment allocate(Arena arena, long lengthBytes) {
        return allocate(arena, lengthBytes, DEFAULT_ALIGNMENT_BYTES);
    }

    /**
     * Zero-filled memory at a multiple of {@code alignmentBytes}.
     *
     * @param arena decides how long the memory lives
     * @param lengthBytes length, at least 1; it need not be aligned
     * @param alignmentBytes a power of two
     */
    public static MemorySegment allocate(Arena arena, long lengthBytes, int alignmentBytes) {
        if (lengthBytes < 1) {
            throw new IllegalArgumentException("length must be positive: " + lengthBytes);
        }
        return arena.allocate(lengthBytes, alignmentBytes);
    }

    /**
     * Whether both the address and the length of a native segment are multiples of {@code
     * alignmentBytes}.
     */
    public static boolean isAligned(MemorySegment segment, int alignmentBytes) {
        return ((segment.address() | segment.byteSize()) & (alignmentBytes - 1L)) == 0;
    }
}
