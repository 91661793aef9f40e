package dev.ashlar.testkit.protocol;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.Permission;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.IoQueue;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.ProtocolInstance;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * A protocol that passes everything on to another one; what watches or disturbs calls extends it. Queues run through {@link
 * #read}, {@link #write} and {@link #flush} of this object, so that no request slips past.
 */
public class ForwardingProtocol implements ProtocolInstance {
    private final ProtocolInstance delegate;

    public ForwardingProtocol(ProtocolInstance delegate) {
        this.delegate = Objects.requireNonNull(delegate, "delegate");
    }

    public final ProtocolInstance delegate() {
        return delegate;
    }

    @Override
    public BlockLimits limits() {
        return delegate.limits();
    }

    @Override
    public long lengthBytes() throws BlockException {
        return delegate.lengthBytes();
    }

    @Override
    public void flush() throws BlockException {
        delegate.flush();
    }

    @Override
    public void close() throws BlockException {
        delegate.close();
    }

    @Override
    public <T> Optional<T> capability(Class<T> type) {
        return type.isInstance(this) ? Optional.of(type.cast(this)) : Optional.empty();
    }

    @Override
    public void drainBegin() {
        delegate.drainBegin();
    }

    @Override
    public void drainEnd() {
        delegate.drainEnd();
    }

    @Override
    public String fileName() {
        return delegate.fileName();
    }

    @Override
    public void read(long offset, MemorySegment destination) throws BlockException {
        delegate.read(offset, destination);
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        delegate.write(offset, source);
    }

    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        delegate.writeZeroes(offset, lengthBytes, mayUnmap);
    }

    @Override
    public void discard(long offset, long lengthBytes) throws BlockException {
        delegate.discard(offset, lengthBytes);
    }

    @Override
    public HostExtent extentAt(long offset, long lengthBytes) throws BlockException {
        return delegate.extentAt(offset, lengthBytes);
    }

    @Override
    public void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        delegate.truncate(lengthBytes, preallocation);
    }

    @Override
    public long allocatedBytes() throws BlockException {
        return delegate.allocatedBytes();
    }

    @Override
    public IoQueue openQueue(int capacity) throws BlockException {
        return new InlineIoQueue(this, capacity, 0);
    }

    @Override
    public MetadataAccess metadata() {
        return delegate.metadata();
    }

    @Override
    public void updatePermissions(Set<Permission> used, Set<Permission> shared) throws BlockException {
        delegate.updatePermissions(used, shared);
    }

    @Override
    public void syncName() throws BlockException {
        delegate.syncName();
    }
}
