package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import java.lang.foreign.MemorySegment;

/** A filter over one child: the content is the child's. Each method's default passes on. */
public non-sealed interface FilterInstance extends DriverInstance {
    ChildAccess child();

    @Override
    default long lengthBytes() throws BlockException {
        return child().lengthBytes();
    }

    @Override
    default void flush() throws BlockException {
        child().flush();
    }

    default void read(long offset, MemorySegment destination) throws BlockException {
        child().read(offset, destination);
    }

    default void write(long offset, MemorySegment source) throws BlockException {
        child().write(offset, source);
    }

    default void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        child().writeZeroes(offset, lengthBytes, mayUnmap);
    }

    default void discard(long offset, long lengthBytes) throws BlockException {
        child().discard(offset, lengthBytes);
    }

    default void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        child().truncate(lengthBytes, preallocation);
    }

    default HostExtent extentAt(long offset, long lengthBytes) throws BlockException {
        return child().extentAt(offset, lengthBytes);
    }

    /** Metadata access of parents; filters that must see each access wrap it and refuse to map. */
    default MetadataAccess metadata() {
        return child().metadata();
    }
}
