package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import java.lang.foreign.MemorySegment;

/**
 * Guards the first bytes of a disk that was taken for raw by probing: a guest that writes an image header there would be
 * believed at the next start (CVE-2008-2004 and kin).
 */
public final class HeadGuard {
    /** What probing looks at. */
    public static final int HEAD_BYTES = 2048;

    /** Decides about the first bytes as they would be after a write. */
    @FunctionalInterface
    public interface Verdict {
        /** @throws BlockException if the bytes look like an image */
        void judge(MemorySegment head) throws BlockException;
    }

    private final Verdict verdict;

    public HeadGuard(Verdict verdict) {
        this.verdict = verdict;
    }

    boolean concerns(long offset) {
        return offset < HEAD_BYTES;
    }

    void check(Layer layer, long offset, MemorySegment source) throws BlockException {
        MemorySegment buffer = BufferPool.acquire(HEAD_BYTES);
        try {
            MemorySegment head = buffer.asSlice(0, HEAD_BYTES);
            layer.readUntracked(0, head);
            long length = Math.min(HEAD_BYTES - offset, source.byteSize());
            MemorySegment.copy(source, 0, head, offset, length);
            verdict.judge(head);
        } finally {
            BufferPool.release(buffer);
        }
    }
}
