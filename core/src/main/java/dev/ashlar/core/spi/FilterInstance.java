package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import java.lang.foreign.MemorySegment;

/** A filter over one child: the content is the child's. Each method's default passes on. */
public non-sealed interface FilterInstance extends DriverInstance {
    /** What the filter stands over; the default of each method below passes on to it. */
    ChildAccess child();

    @Override
    default long lengthBytes() throws BlockException {
        return child().lengthBytes();
    }

    @Override
    default void flush() throws BlockException {
        child().flush();
    }

    /** As {@link ProtocolInstance#read}: within {@link #limits}, on a tracked request. */
    default void read(long offset, MemorySegment destination) throws BlockException {
        child().read(offset, destination);
    }

    /** As {@link ProtocolInstance#write}. */
    default void write(long offset, MemorySegment source) throws BlockException {
        child().write(offset, source);
    }

    /** Whether {@link #writeCompressed} passes compressed writes on. Filters that do something to writes decide by themselves. */
    default boolean passesCompressed() {
        return false;
    }

    /** As {@link ChildAccess#writeCompressed}; called only where {@link #passesCompressed} says so. */
    default void writeCompressed(long offset, MemorySegment source) throws BlockException {
        child().writeCompressed(offset, source);
    }

    /** As {@link ProtocolInstance#writeZeroes}. */
    default void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        child().writeZeroes(offset, lengthBytes, mayUnmap);
    }

    /** As {@link ProtocolInstance#discard}. */
    default void discard(long offset, long lengthBytes) throws BlockException {
        child().discard(offset, lengthBytes);
    }

    /** As {@link ProtocolInstance#truncate}; called on a drained node. */
    default void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        child().truncate(lengthBytes, preallocation);
    }

    /** As {@link ProtocolInstance#extentAt}. */
    default HostExtent extentAt(long offset, long lengthBytes) throws BlockException {
        return child().extentAt(offset, lengthBytes);
    }

    /**
     * Whether metadata access of parents must go through {@link #read} and {@link #write} like all else, tracked, padded and never
     * mapped. If not, {@link #metadata} is what they get.
     */
    default boolean mustSeeMetadata() {
        return false;
    }

    /** Whether writes that overlap must not run at the same time, and neither a read with an overlapping write. */
    default boolean serialisesWrites() {
        return false;
    }

    /** As {@link ChildAccess#populate}. */
    default void populate(long offset, long lengthBytes) throws BlockException {
        child().populate(offset, lengthBytes);
    }

    /** As {@link ChildAccess#event}. Not passed on: each node hears of its own requests and of what its parents announce. */
    default void event(BlockEvent event) throws BlockException {}

    /** Metadata access of parents where {@link #mustSeeMetadata} is false. Filters that must see the writes alone wrap it. */
    default MetadataAccess metadata() {
        return child().metadata();
    }
}
