package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.BlockStatus;
import java.lang.foreign.MemorySegment;

/**
 * A driver's view of one of its children, given out by core. Any thread; calls block. Any offset, length and buffer: core
 * pads what the child can't take. Belongs to core, which closes it after the driver.
 */
public interface ChildAccess {
    /** Name of the child node. */
    String nodeName();

    /** File name of the child as far as it has one, for messages. */
    String fileName();

    /** What requests should look like to reach the child without padding or a copy. */
    BlockLimits limits();

    /** Size of the child's content in bytes, not necessarily a multiple of 512. */
    long lengthBytes() throws BlockException;

    /** Fills the buffer; bytes behind the end read as zeros. */
    void read(long offset, MemorySegment destination) throws BlockException;

    /** Writes the buffer; the child grows where it can. */
    void write(long offset, MemorySegment source) throws BlockException;

    /**
     * Writes whole allocation units of the child, or up to its end, so that they take less space there.
     *
     * @throws BlockException UNSUPPORTED where the child can't, INVALID for a range of another kind
     */
    default void writeCompressed(long offset, MemorySegment source) throws BlockException {
        throw new BlockException(Kind.UNSUPPORTED, "Block node '" + nodeName() + "' can't write compressed data");
    }

    /** As {@link ProtocolInstance#writeZeroes}. */
    void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException;

    /** As {@link ProtocolInstance#discard}. */
    void discard(long offset, long lengthBytes) throws BlockException;

    /** Makes durable all that completed before, through {@link #write} and {@link MetadataAccess#write} alike. */
    void flush() throws BlockException;

    /** Sets the size of the child; new bytes read as zeros. @throws BlockException UNSUPPORTED, or as {@link ProtocolInstance#truncate} */
    void truncate(long lengthBytes, Preallocation preallocation) throws BlockException;

    /** As {@link ProtocolInstance#extentAt}. */
    HostExtent extentAt(long offset, long lengthBytes) throws BlockException;

    /** As {@link ProtocolInstance#allocatedBytes}; -1 where that is not known. */
    default long allocatedBytes() throws BlockException {
        return -1;
    }

    /** Buffered, byte-granular access for the driver's own tables. */
    MetadataAccess metadata();

    /** Whether the bytes of the file are others than those that are read and written here: offsets in the file are of no use to anybody else. */
    default boolean transformsData() {
        return false;
    }

    /**
     * How the range starts in the child alone: {@link BlockStatus#allocated} is false where its backing file answers.
     *
     * @param lengthBytes at least 1; the range begins before the end of the child
     */
    default BlockStatus allocatedHere(long offset, long lengthBytes) throws BlockException {
        return new BlockStatus(true, false, true, false, 0, -1, null, lengthBytes);
    }

    /**
     * Copies what the backing file of the child answers in the range into the child, rounded to whole allocation units. The content
     * stays as it is: the copy serialises with all writes to these units and never overwrites newer data. Nothing where the child has no
     * backing file.
     *
     * @throws BlockException also if the child can't be written
     */
    default void populate(long offset, long lengthBytes) throws BlockException {}

    /**
     * Tells filters below that a request has come to a certain point; one of them may make the caller wait there. Free where nobody
     * listens. To be called inside a request of the parent, with no lock held.
     */
    default void event(BlockEvent event) throws BlockException {}
}
