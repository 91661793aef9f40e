package dev.ashlar.core;

import dev.ashlar.core.request.PreparedWrite;
import java.lang.foreign.MemorySegment;

/**
 * Content that was compressed ahead of its write, see {@link BlockBackend#compress}. Belongs to one thread at a time.
 */
public final class CompressedContent implements AutoCloseable {
    private final long offset;
    private final MemorySegment source;
    private final PreparedWrite prepared;

    CompressedContent(long offset, MemorySegment source, PreparedWrite prepared) {
        this.offset = offset;
        this.source = source;
        this.prepared = prepared;
    }

    long offset() {
        return offset;
    }

    MemorySegment source() {
        return source;
    }

    PreparedWrite prepared() {
        return prepared;
    }

    /** Gives memory back. Idempotent. */
    @Override
    public void close() {
        prepared.close();
    }
}
