package dev.ashlar.drivers.qcow2.metadata;

import dev.ashlar.core.BlockException;
import java.lang.foreign.MemorySegment;

/**
 * The tables of an image as they are on disk. Reads come from a mapping or from a cache; writes go to the file from private
 * buffers, never through a mapping, and are seen by the next read. Any thread.
 */
public sealed interface MetadataStore extends AutoCloseable permits MappedStore, CachedStore {
    /**
     * One big-endian word.
     *
     * @throws BlockException IO when it lies behind the end of the file or can't be read
     */
    long u64(long hostOffset) throws BlockException;

    /** As {@link #u64} where that needs no I/O, no lock and no allocation; else {@code fallback}. */
    long u64IfResident(long hostOffset, long fallback);

    /** Whether the byte can be had without asking the file; for those who announce what they are about to read. */
    boolean isAtHand(long hostOffset);

    /** Copies table bytes out. @throws BlockException IO when the range reaches behind the end of the file */
    void read(long hostOffset, MemorySegment destination) throws BlockException;

    /**
     * A read-only look at table bytes, without a copy where possible: valid until the next write to the range. Each value is
     * to be copied out once and checked then.
     */
    MemorySegment view(long hostOffset, long lengthBytes) throws BlockException;

    /** Writes table bytes. Durable after the next flush of the file. */
    void write(long hostOffset, MemorySegment source) throws BlockException;

    /** The range was written behind the store's back. */
    void forget(long hostOffset, long lengthBytes);

    /** The file ends at {@code lengthBytes} from now on. */
    void cut(long lengthBytes);

    @Override
    void close();
}
