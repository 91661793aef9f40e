package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.Permission;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.IoQueue;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.ProtocolInstance;
import dev.ashlar.nativeio.ErrnoException;
import dev.ashlar.nativeio.LinuxFile;
import dev.ashlar.nativeio.OpenFlag;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * An open file or block device.
 *
 * <p>For direct I/O it has two descriptors: data goes through the direct one; metadata, mappings and everything about space
 * through the buffered one, which has no alignment to obey. The kernel keeps the page cache coherent between them. Locks are
 * held on the data descriptor.
 */
final class HostFile implements ProtocolInstance {
    private static final long MAX_TRANSFER_BYTES = 1 << 30;

    private final LinuxFile data;
    private final LinuxFile buffered;
    private final HostSpace space;
    private final @Nullable ProcessLocks locks;
    private final FlushState flushState;
    private final boolean passesDiscards;
    private final BlockLimits limits;
    private final BufferedMetadata metadata;

    /**
     * @param data for guest data
     * @param buffered without direct I/O; may be the same
     * @param locks null to leave other processes alone
     * @param passesDiscards false: discards do nothing
     */
    HostFile(
            LinuxFile data,
            LinuxFile buffered,
            HostSpace space,
            DirectAlignment alignment,
            @Nullable ProcessLocks locks,
            FlushState flushState,
            boolean passesDiscards) {
        this.data = data;
        this.buffered = buffered;
        this.space = space;
        this.locks = locks;
        this.flushState = flushState;
        this.passesDiscards = passesDiscards;
        limits = new BlockLimits(
                alignment.requestBytes(),
                alignment.memoryBytes(),
                MAX_TRANSFER_BYTES,
                Math.max(alignment.requestBytes(), space.discardAlignmentBytes()),
                Math.max(alignment.requestBytes(), space.writeZeroesAlignmentBytes()));
        metadata = new BufferedMetadata(buffered);
    }

    @Override
    public String fileName() {
        return data.path();
    }

    @Override
    public BlockLimits limits() {
        return limits;
    }

    @Override
    public long lengthBytes() throws BlockException {
        return Failures.check("lseek", buffered.length(), fileName());
    }

    @Override
    public long allocatedBytes() throws BlockException {
        try {
            return buffered.status().allocatedBytes();
        } catch (ErrnoException e) {
            throw Failures.of(e);
        }
    }

    @Override
    public void read(long offset, MemorySegment destination) throws BlockException {
        long length = Transfers.read(data, offset, destination);
        if (length < destination.byteSize()) {
            destination.asSlice(length).fill((byte) 0);
        }
    }

    @Override
    public void write(long offset, MemorySegment source) throws BlockException {
        Transfers.write(data, offset, source);
    }

    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        if (lengthBytes > 0) {
            BlockingCalls.run(() -> {
                space.writeZeroes(offset, lengthBytes, mayUnmap);
                return 0;
            });
        }
    }

    @Override
    public void discard(long offset, long lengthBytes) throws BlockException {
        if (passesDiscards && lengthBytes > 0) {
            BlockingCalls.run(() -> {
                space.discard(offset, lengthBytes);
                return 0;
            });
        }
    }

    @Override
    public HostExtent extentAt(long offset, long lengthBytes) throws BlockException {
        return space.extentAt(offset, lengthBytes);
    }

    @Override
    public void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        BlockingCalls.run(() -> {
            space.truncate(lengthBytes, preallocation);
            return 0;
        });
    }

    @Override
    public void flush() throws BlockException {
        BlockingCalls.run(() -> {
            flushState.flush(data);
            return 0;
        });
    }

    @Override
    public IoQueue openQueue(int capacity) {
        return new FileIoQueue(data, flushState, capacity);
    }

    @Override
    public MetadataAccess metadata() {
        return metadata;
    }

    @Override
    public void updatePermissions(Set<Permission> used, Set<Permission> shared) throws BlockException {
        if (locks != null) {
            locks.update(used, shared);
        }
    }

    @Override
    public void syncName() throws BlockException {
        try {
            Path folder = Path.of(fileName()).toRealPath().resolveSibling(".");
            try (LinuxFile directory = LinuxFile.open(folder.toString(), OpenFlag.READ_ONLY, OpenFlag.DIRECTORY)) {
                BlockingCalls.run(() -> Failures.check("fsync", directory.fsync(), directory.path()));
            }
        } catch (ErrnoException e) {
            throw Failures.of(e);
        } catch (BlockException e) {
            throw e;
        } catch (IOException e) {
            throw new BlockException(
                    BlockException.Kind.IO, "fsync of the directory of '" + fileName() + "' failed", e);
        }
    }

    @Override
    public void close() {
        if (locks != null) {
            locks.release();
        }
        buffered.close();
        data.close();
    }
}
