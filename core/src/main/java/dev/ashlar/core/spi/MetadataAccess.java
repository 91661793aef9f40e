package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * Byte-granular access for a format's own tables. Writes here and data writes to <em>other</em> 4 KiB pages may run at the
 * same time; to the same page never.
 */
public interface MetadataAccess {
    /** Fills the buffer. @throws BlockException IO when the range reaches behind the end of the file */
    void read(long offset, MemorySegment source) throws BlockException;

    /** Writes the buffer; the file grows where needed. Any buffer, any alignment. */
    void write(long offset, MemorySegment source) throws BlockException;

    /**
     * Writes zeros to space that nothing refers to yet, so that a full disk shows while everything can still be undone. Other than
     * after a {@link #write} that fails, the image stays usable.
     */
    default void claim(long offset, long lengthBytes) throws BlockException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment zeros = arena.allocate(Math.min(lengthBytes, 64 << 10), 4096);
            for (long done = 0; done < lengthBytes; done += zeros.byteSize()) {
                write(offset + done, zeros.asSlice(0, Math.min(zeros.byteSize(), lengthBytes - done)));
            }
        }
    }

    /**
     * Maps the file read-only.
     *
     * @param reserveBytes virtual range to reserve, may be far larger than the file; pages appear as the file grows
     * @return empty where the node can't be mapped (or a filter in between must see each access)
     */
    Optional<MappedView> map(long reserveBytes) throws BlockException;

    /** A read-only shared mapping; closed by its owner, after the last access. */
    interface MappedView extends AutoCloseable {
        /**
         * The mapping. Access behind the end of the file, or a page that can't be read, surfaces as {@link InternalError},
         * possibly some statements late.
         */
        MemorySegment segment();

        @Override
        void close();
    }
}
