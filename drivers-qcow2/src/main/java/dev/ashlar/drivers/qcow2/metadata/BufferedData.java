package dev.ashlar.drivers.qcow2.metadata;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import java.lang.foreign.MemorySegment;

/**
 * Guest data of images with clusters under 4 KiB. Data and metadata share pages there, and direct I/O beside buffered writes to one page
 * loses bytes; so data takes the buffered way as well.
 */
final class BufferedData implements ChildAccess {
    private final ChildAccess child;
    private final MetadataAccess buffered;

    BufferedData(ChildAccess child) {
        this.child = child;
        this.buffered = child.metadata();
    }

    @Override
    public String nodeName() {
        return child.nodeName();
    }

    @Override
    public String fileName() {
        return child.fileName();
    }

    @Override
    public BlockLimits limits() {
        return BlockLimits.NONE;
    }

    @Override
    public long lengthBytes() throws BlockException {
        return child.lengthBytes();
    }

    @Override
    public void read(long offset, MemorySegment destination) throws BlockException {
        long there = Math.clamp(child.lengthBytes() - offset, 0, destination.byteSize());
        if (there > 0) {
            buffered.read(offset, destination.asSlice(0, there));
        }
        destination.asSlice(there).fill((byte) 0);
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        buffered.write(offset, source);
    }

    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        MemorySegment zeros = MemorySegment.ofArray(new byte[(int) Math.min(lengthBytes, 64 << 10)]);
        for (long done = 0; done < lengthBytes; done += zeros.byteSize()) {
            buffered.write(offset + done, zeros.asSlice(0, Math.min(zeros.byteSize(), lengthBytes - done)));
        }
    }

    /** Nothing: a hole smaller than a page frees nothing. */
    @Override
    public void discard(long offset, long lengthBytes) {}

    @Override
    public void flush() throws BlockException {
        child.flush();
    }

    @Override
    public void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        child.truncate(lengthBytes, preallocation);
    }

    @Override
    public HostExtent extentAt(long offset, long lengthBytes) throws BlockException {
        return child.extentAt(offset, lengthBytes);
    }

    @Override
    public MetadataAccess metadata() {
        return buffered;
    }

    @Override
    public void event(BlockEvent event) throws BlockException {
        child.event(event);
    }
}
