package dev.ashlar.testkit.protocol;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.ProtocolInstance;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * A protocol as a format driver sees its child, without a graph in between. Unaligned requests are padded; padded writes exclude
 * each other. Any thread.
 */
public final class DirectChild implements ChildAccess {
    private final String nodeName;
    private final ProtocolInstance protocol;

    public DirectChild(String nodeName, ProtocolInstance protocol) {
        this.nodeName = Objects.requireNonNull(nodeName, "nodeName");
        this.protocol = Objects.requireNonNull(protocol, "protocol");
    }

    public ProtocolInstance protocol() {
        return protocol;
    }

    @Override
    public String nodeName() {
        return nodeName;
    }

    @Override
    public String fileName() {
        return protocol.fileName();
    }

    @Override
    public BlockLimits limits() {
        return BlockLimits.NONE;
    }

    @Override
    public long lengthBytes() throws BlockException {
        return protocol.lengthBytes();
    }

    @Override
    public void read(long offset, MemorySegment destination) throws BlockException {
        long start = floor(offset);
        long end = ceil(offset + destination.byteSize());
        if (takesAsIs(offset, destination)) {
            protocol.read(offset, destination);
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment padded = arena.allocate(end - start, protocol.limits().memoryAlignmentBytes());
            protocol.read(start, padded);
            destination.copyFrom(padded.asSlice(offset - start, destination.byteSize()));
        }
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        if (takesAsIs(offset, source)) {
            protocol.write(offset, source);
        } else {
            writePadded(offset, source);
        }
    }

    private synchronized void writePadded(long offset, MemorySegment source) throws BlockException {
        long start = floor(offset);
        long end = ceil(offset + source.byteSize());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment padded = arena.allocate(end - start, protocol.limits().memoryAlignmentBytes());
            protocol.read(start, padded);
            padded.asSlice(offset - start, source.byteSize()).copyFrom(source);
            protocol.write(start, padded);
        }
    }

    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        long start = ceil(offset);
        long end = floor(offset + lengthBytes);
        if (end <= start) {
            writePadded(offset, MemorySegment.ofArray(new byte[(int) lengthBytes]));
            return;
        }
        if (start > offset) {
            writePadded(offset, MemorySegment.ofArray(new byte[(int) (start - offset)]));
        }
        protocol.writeZeroes(start, end - start, mayUnmap);
        if (end < offset + lengthBytes) {
            writePadded(end, MemorySegment.ofArray(new byte[(int) (offset + lengthBytes - end)]));
        }
    }

    @Override
    public void discard(long offset, long lengthBytes) throws BlockException {
        protocol.discard(offset, lengthBytes);
    }

    @Override
    public void flush() throws BlockException {
        protocol.flush();
    }

    @Override
    public void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        protocol.truncate(lengthBytes, preallocation);
    }

    @Override
    public HostExtent extentAt(long offset, long lengthBytes) throws BlockException {
        return protocol.extentAt(offset, lengthBytes);
    }

    @Override
    public MetadataAccess metadata() {
        return protocol.metadata();
    }

    private boolean takesAsIs(long offset, MemorySegment buffer) {
        int memoryAlignment = protocol.limits().memoryAlignmentBytes();
        return offset == floor(offset)
                && buffer.byteSize() == floor(buffer.byteSize())
                && (memoryAlignment == 1 || (buffer.isNative() && buffer.address() % memoryAlignment == 0));
    }

    private long floor(long offset) {
        return offset & -protocol.limits().requestAlignmentBytes();
    }

    private long ceil(long offset) {
        return floor(offset + protocol.limits().requestAlignmentBytes() - 1);
    }
}
