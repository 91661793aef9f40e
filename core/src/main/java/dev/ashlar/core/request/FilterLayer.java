package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockStatus;
import dev.ashlar.core.spi.FilterInstance;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import java.lang.foreign.MemorySegment;

/** The data plane of a filter: everything passes through its instance. */
public final class FilterLayer extends Layer {
    private final FilterInstance instance;
    private final Layer child;

    public FilterLayer(String name, LayerMode mode, FailStop failStop, FilterInstance instance, Layer child) {
        super(name, mode, failStop);
        this.instance = instance;
        this.child = child;
    }

    @Override
    public FilterInstance instance() {
        return instance;
    }

    @Override
    public MetadataAccess metadata() {
        return instance.metadata();
    }

    @Override
    public long lengthBytes() throws BlockException {
        return instance.lengthBytes();
    }

    @Override
    void readAligned(long offset, MemorySegment destination) throws BlockException {
        instance.read(offset, destination);
    }

    @Override
    boolean writeInPlace(long offset, MemorySegment source) throws BlockException {
        instance.write(offset, source);
        return true;
    }

    @Override
    void writeSerialised(long offset, MemorySegment source) throws BlockException {
        instance.write(offset, source);
    }

    @Override
    void zeroSerialised(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        long alignment = limits().requestAlignmentBytes();
        long end = offset + lengthBytes;
        long from = Math.min(roundUp(offset, alignment), end);
        long to = Math.max(roundDown(end, alignment), from);
        Zeros.write(this, offset, from - offset);
        if (to > from) {
            instance.writeZeroes(from, to - from, mayUnmap);
        }
        Zeros.write(this, to, end - to);
    }

    @Override
    void discardSerialised(long offset, long lengthBytes) throws BlockException {
        long alignment = Math.max(limits().discardAlignmentBytes(), limits().requestAlignmentBytes());
        long from = roundUp(offset, alignment);
        long to = roundDown(offset + lengthBytes, alignment);
        if (to > from) {
            instance.discard(from, to - from);
        }
    }

    @Override
    long unitBytes() {
        return limits().requestAlignmentBytes();
    }

    @Override
    public void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        requireWritable();
        instance.truncate(lengthBytes, preallocation);
    }

    /** As {@link FilterInstance#extentAt}, tracked. */
    public HostExtent extentAt(long offset, long lengthBytes) throws BlockException {
        TrackedRequest request = tracker().enter(offset, offset + lengthBytes, Origin.PARENT);
        try {
            requireOpen();
            return instance.extentAt(offset, lengthBytes);
        } finally {
            tracker().exit(request);
        }
    }

    @Override
    BlockStatus statusOf(long offset, long lengthBytes, int depth) throws BlockException {
        return child.status(offset, lengthBytes, depth, Origin.PARENT);
    }

    @Override
    BlockStatus allocatedOf(long offset, long lengthBytes) throws BlockException {
        return child.allocatedHere(offset, lengthBytes, Origin.PARENT);
    }
}
