package dev.ashlar.drivers.qcow2.metadata;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import java.lang.foreign.MemorySegment;

/** The data file of an image of which only the metadata is wanted: it was not opened, and has no content. */
public record UnopenedData(String fileName) implements ChildAccess {
    private static BlockException refused() {
        return new BlockException(Kind.INVALID, "The data file is not open");
    }

    @Override
    public String nodeName() {
        return "";
    }

    @Override
    public BlockLimits limits() {
        return BlockLimits.NONE;
    }

    @Override
    public long lengthBytes() throws BlockException {
        throw refused();
    }

    @Override
    public void read(long offset, MemorySegment destination) throws BlockException {
        throw refused();
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        throw refused();
    }

    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        throw refused();
    }

    @Override
    public void discard(long offset, long lengthBytes) throws BlockException {
        throw refused();
    }

    /** Nothing was written, so nothing is missing. */
    @Override
    public void flush() {}

    @Override
    public void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        throw refused();
    }

    @Override
    public HostExtent extentAt(long offset, long lengthBytes) throws BlockException {
        throw refused();
    }

    @Override
    public MetadataAccess metadata() {
        throw new IllegalStateException("a data file has no metadata");
    }
}
