package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockStatus;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.FilterInstance;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import java.lang.foreign.MemorySegment;

/** The data plane of a filter: everything passes through its instance. */
public final class FilterLayer extends Layer {
    /** Replaced only while the node is drained. */
    private volatile FilterInstance instance;

    /** Replaced only while the node is drained. */
    private volatile Layer child;

    private volatile boolean serialisesWrites;
    private volatile MetadataAccess metadata;

    public FilterLayer(String name, LayerMode mode, FailStop failStop, FilterInstance instance, Layer child) {
        super(name, mode, failStop);
        this.instance = instance;
        this.child = child;
        this.serialisesWrites = instance.serialisesWrites();
        this.metadata = instance.mustSeeMetadata()
                ? new RequestMetadata(this)
                : new RecordedMetadata(instance.metadata(), bitmaps());
    }

    @Override
    public FilterInstance instance() {
        return instance;
    }

    @Override
    void replaceInstance(DriverInstance fresh) {
        if (!(fresh instanceof FilterInstance filter)) {
            throw new IllegalStateException("not a filter: " + fresh.getClass().getName());
        }
        instance = filter;
        serialisesWrites = filter.serialisesWrites();
        metadata = filter.mustSeeMetadata()
                ? new RequestMetadata(this)
                : new RecordedMetadata(filter.metadata(), bitmaps());
    }

    @Override
    public void childSwitched(Layer before, Layer fresh) {
        if (child == before) {
            child = fresh;
        }
    }

    @Override
    public MetadataAccess metadata() {
        return metadata;
    }

    @Override
    public long lengthBytes() throws BlockException {
        return instance.lengthBytes();
    }

    @Override
    void readAligned(long offset, MemorySegment destination) throws BlockException {
        long total = destination.byteSize();
        long piece = limits().maxTransferBytes();
        for (long done = 0; done < total; done += piece) {
            instance.read(offset + done, destination.asSlice(done, Math.min(piece, total - done)));
        }
    }

    @Override
    boolean writesInPlace() {
        return !serialisesWrites;
    }

    @Override
    boolean writeInPlace(long offset, MemorySegment source) throws BlockException {
        if (serialisesWrites) {
            return false;
        }
        writeSerialised(offset, source);
        return true;
    }

    @Override
    void writeSerialised(long offset, MemorySegment source) throws BlockException {
        long total = source.byteSize();
        long piece = limits().maxTransferBytes();
        for (long done = 0; done < total; done += piece) {
            instance.write(offset + done, source.asSlice(done, Math.min(piece, total - done)));
        }
    }

    @Override
    public long compressedUnitBytes() {
        return instance.passesCompressed() ? child.compressedUnitBytes() : 0;
    }

    @Override
    void compressedSerialised(long offset, MemorySegment source, PreparedWrite prepared) throws BlockException {
        if (compressedUnitBytes() == 0) {
            super.compressedSerialised(offset, source, prepared);
            return;
        }
        instance.writeCompressed(offset, source);
    }

    @Override
    void zeroSerialised(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        long alignment = limits().requestAlignmentBytes();
        long end = offset + lengthBytes;
        long from = Math.min(Alignment.up(offset, alignment), end);
        long to = Math.max(Alignment.down(end, alignment), from);
        Zeros.write(this, offset, from - offset);
        if (to > from) {
            instance.writeZeroes(from, to - from, mayUnmap);
        }
        Zeros.write(this, to, end - to);
    }

    @Override
    void discardSerialised(long offset, long lengthBytes) throws BlockException {
        long alignment = Math.max(limits().discardAlignmentBytes(), limits().requestAlignmentBytes());
        long from = Alignment.up(offset, alignment);
        long to = Alignment.down(offset + lengthBytes, alignment);
        if (to > from) {
            instance.discard(from, to - from);
        }
    }

    @Override
    long unitBytes() {
        return limits().requestAlignmentBytes();
    }

    @Override
    void truncateContent(long lengthBytes, Preallocation preallocation) throws BlockException {
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
    void event(BlockEvent event, Origin origin) throws BlockException {
        // What a parent's own tables need is announced by the parent, by the name of the table.
        if (!origin.equals(Origin.METADATA)) {
            instance.event(event);
        }
    }

    @Override
    void populateSerialised(long offset, long lengthBytes) throws BlockException {
        instance.populate(offset, lengthBytes);
    }

    @Override
    BlockStatus allocatedOf(long offset, long lengthBytes) throws BlockException {
        return child.allocatedHere(offset, lengthBytes, Origin.PARENT);
    }
}
