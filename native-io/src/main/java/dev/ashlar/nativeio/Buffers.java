package dev.ashlar.nativeio;

import java.lang.foreign.MemorySegment;

/** What memory must be before its address goes to the kernel, which trusts it. */
final class Buffers {
    private Buffers() {}

    /** @throws IllegalArgumentException for memory on the Java heap */
    static void requireNative(MemorySegment buffer) {
        if (!buffer.isNative()) {
            throw new IllegalArgumentException("buffer must be native memory");
        }
    }

    /** @throws IllegalStateException if the memory has been freed */
    static void requireAlive(MemorySegment buffer) {
        if (!buffer.scope().isAlive()) {
            throw new IllegalStateException("buffer's arena is closed");
        }
    }

    /** @throws IllegalArgumentException for memory on the Java heap, or that can't be written */
    static void requireReadTarget(MemorySegment buffer) {
        requireNative(buffer);
        if (buffer.isReadOnly()) {
            throw new IllegalArgumentException("buffer must be writable");
        }
    }
}
