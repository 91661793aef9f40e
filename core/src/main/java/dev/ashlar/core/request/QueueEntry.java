package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** One place of a {@link RequestQueue}; used again and again. Belongs to the queue's thread, and to a worker while it is there. */
final class QueueEntry {
    /** What the request does. */
    enum Kind {
        READ,
        WRITE,
        FLUSH
    }

    final int index;

    Kind kind = Kind.FLUSH;
    long token;
    long offset;
    /** The user's buffer; null for a flush. */
    @Nullable
    MemorySegment buffer;
    /** Stands in for a buffer that only its own thread may touch, while a worker has the request. */
    @Nullable
    MemorySegment stand;

    long hostOffset;
    int result;

    @Nullable
    BlockException failure;

    /** Next in a list of finished entries. */
    @Nullable
    QueueEntry next;

    QueueEntry(int index) {
        this.index = index;
    }

    long lengthBytes() {
        return buffer == null ? 0 : buffer.byteSize();
    }

    void finish(int howMuch, @Nullable BlockException why) {
        result = howMuch;
        failure = why;
    }
}
