package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.BlockStatus;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.ProtocolInstance;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** What a driver gets for an edge: the child's data plane, entered as a parent. */
public final class LayerAccess implements ChildAccess {
    /** Changes only while the parent is drained. */
    private volatile Layer child;

    private final String fileName;
    private final MetadataAccess metadata;

    /** @param parentFailStop failed by a metadata write that fails (R9) */
    public LayerAccess(Layer child, String fileName, FailStop parentFailStop) {
        this.child = child;
        this.fileName = fileName;
        this.metadata = new FailStopMetadata(parentFailStop);
    }

    public Layer child() {
        return child;
    }

    /** Leads elsewhere from now on; for drained parents. */
    public void redirect(Layer fresh) {
        child = fresh;
    }

    @Override
    public String nodeName() {
        return child.name();
    }

    @Override
    public String fileName() {
        return fileName;
    }

    @Override
    public BlockLimits limits() {
        return child.limits();
    }

    @Override
    public long lengthBytes() throws BlockException {
        return child.lengthBytes();
    }

    @Override
    public void read(long offset, MemorySegment destination) throws BlockException {
        child.read(offset, destination, Origin.PARENT);
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        child.write(offset, source, Origin.PARENT);
    }

    @Override
    public void writeCompressed(long offset, MemorySegment source) throws BlockException {
        child.writeCompressed(offset, source, PreparedWrite.NOTHING, Origin.PARENT);
    }

    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        child.writeZeroes(offset, lengthBytes, mayUnmap, Origin.PARENT);
    }

    @Override
    public void discard(long offset, long lengthBytes) throws BlockException {
        child.discard(offset, lengthBytes, Origin.PARENT);
    }

    @Override
    public void flush() throws BlockException {
        child.flush(Origin.PARENT);
    }

    @Override
    public void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        RequestTracker tracker = child.tracker();
        TrackedRequest request = tracker.enterSerialising(0, Long.MAX_VALUE, Origin.PARENT);
        try {
            child.truncate(lengthBytes, preallocation);
        } finally {
            tracker.exit(request);
        }
    }

    @Override
    public long allocatedBytes() throws BlockException {
        return child.instance() instanceof ProtocolInstance protocol ? protocol.allocatedBytes() : -1;
    }

    @Override
    public HostExtent extentAt(long offset, long lengthBytes) throws BlockException {
        if (child instanceof ProtocolLayer protocol) {
            return protocol.extentAt(offset, lengthBytes);
        }
        if (child instanceof FilterLayer filter) {
            return filter.extentAt(offset, lengthBytes);
        }
        BlockStatus status = child.status(offset, lengthBytes, 0, Origin.PARENT);
        return new HostExtent(status.zero(), status.lengthBytes());
    }

    @Override
    public MetadataAccess metadata() {
        return metadata;
    }

    @Override
    public BlockStatus allocatedHere(long offset, long lengthBytes) throws BlockException {
        return child.allocatedHere(offset, lengthBytes, Origin.PARENT);
    }

    @Override
    public void populate(long offset, long lengthBytes) throws BlockException {
        child.populate(offset, lengthBytes, Origin.PARENT);
    }

    @Override
    public void event(BlockEvent event) throws BlockException {
        child.event(event, Origin.PARENT);
    }

    /** Stops the parent after a metadata write that failed, and keeps read-only files from being written. */
    private final class FailStopMetadata implements MetadataAccess {
        private final FailStop failStop;

        FailStopMetadata(FailStop failStop) {
            this.failStop = failStop;
        }

        @Override
        public void read(long offset, MemorySegment destination) throws BlockException {
            child.requireOpen();
            child.metadata().read(offset, destination);
        }

        @Override
        public void write(long offset, MemorySegment source) throws BlockException {
            if (child.isReadOnly()) {
                throw new BlockException(Kind.READ_ONLY, "Block node is read-only");
            }
            failStop.check();
            child.requireOpen();
            try {
                child.metadata().write(offset, source);
            } catch (BlockException e) {
                failStop.fail(e);
                throw e;
            }
        }

        @Override
        public void claim(long offset, long lengthBytes) throws BlockException {
            if (child.isReadOnly()) {
                throw new BlockException(Kind.READ_ONLY, "Block node is read-only");
            }
            failStop.check();
            child.requireOpen();
            child.metadata().claim(offset, lengthBytes);
        }

        @Override
        public Optional<MappedView> map(long reserveBytes) throws BlockException {
            return child.metadata().map(reserveBytes);
        }
    }
}
