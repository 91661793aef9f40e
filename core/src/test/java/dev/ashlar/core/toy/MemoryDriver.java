package dev.ashlar.core.toy;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.Permission;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.CreateRequest;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.IoQueue;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.OptionDescriptor;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.ProtocolInstance;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Protocol {@code mem}: {@link MemoryDisk}s by name, strict about its contract. */
public final class MemoryDriver implements BlockDriver {
    public final Map<String, MemoryDisk> disks = new ConcurrentHashMap<>();

    public MemoryDisk disk(String name, long lengthBytes) {
        MemoryDisk disk = new MemoryDisk(name);
        disk.setLength(lengthBytes);
        disks.put(name, disk);
        return disk;
    }

    @Override
    public String name() {
        return "mem";
    }

    @Override
    public DriverKind kind() {
        return DriverKind.PROTOCOL;
    }

    @Override
    public int probeFileName(String fileName) {
        return 50;
    }

    @Override
    public DriverInstance open(OpenRequest request) throws BlockException {
        String name = request.options().get("filename");
        MemoryDisk disk = disks.get(name);
        if (disk == null) {
            throw new BlockException(Kind.NOT_FOUND, "Could not open '" + name + "': No such file or directory");
        }
        disk.openInstances++;
        return new Instance(disk);
    }

    @Override
    public void create(CreateRequest request) {
        disk(request.options().get("filename"), Long.parseLong(request.options().get("size")));
    }

    @Override
    public List<OptionDescriptor> createOptions() {
        return List.of(new OptionDescriptor("size", OptionDescriptor.Type.SIZE, "Virtual disk size", null));
    }

    /** One opening. */
    public static final class Instance implements ProtocolInstance {
        private final MemoryDisk disk;
        private volatile boolean closed;

        Instance(MemoryDisk disk) {
            this.disk = disk;
        }

        MemoryDisk disk() {
            return disk;
        }

        @Override
        public BlockLimits limits() {
            return disk.limits;
        }

        @Override
        public long lengthBytes() {
            return disk.length();
        }

        @Override
        public String fileName() {
            return disk.name;
        }

        @Override
        public void read(long offset, MemorySegment destination) throws BlockException {
            check(offset, destination.byteSize(), destination);
            disk.busy.incrementAndGet();
            try {
                disk.hook.before("read", offset, destination.byteSize());
                disk.read(offset, destination);
            } finally {
                disk.busy.decrementAndGet();
            }
        }

        @Override
        public void write(long offset, MemorySegment source) throws BlockException {
            check(offset, source.byteSize(), source);
            disk.busy.incrementAndGet();
            try {
                disk.hook.before("write", offset, source.byteSize());
                disk.writes.incrementAndGet();
                disk.write(offset, source);
            } finally {
                disk.busy.decrementAndGet();
            }
        }

        @Override
        public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
            check(offset, lengthBytes, null);
            disk.busy.incrementAndGet();
            try {
                disk.hook.before("zero", offset, lengthBytes);
                disk.write(offset, MemorySegment.ofArray(new byte[(int) lengthBytes]));
            } finally {
                disk.busy.decrementAndGet();
            }
        }

        @Override
        public void discard(long offset, long lengthBytes) throws BlockException {
            check(offset, lengthBytes, null);
            disk.hook.before("discard", offset, lengthBytes);
        }

        @Override
        public HostExtent extentAt(long offset, long lengthBytes) {
            return new HostExtent(false, Math.min(lengthBytes, disk.length() - offset));
        }

        @Override
        public void truncate(long lengthBytes, Preallocation preallocation) {
            disk.setLength(lengthBytes);
        }

        @Override
        public long allocatedBytes() {
            return disk.length();
        }

        @Override
        public IoQueue openQueue(int capacity) {
            return new MemoryQueue(this, capacity);
        }

        @Override
        public MetadataAccess metadata() {
            return new MetadataAccess() {
                @Override
                public void read(long offset, MemorySegment destination) throws BlockException {
                    disk.hook.before("metadata-read", offset, destination.byteSize());
                    disk.read(offset, destination);
                }

                @Override
                public void write(long offset, MemorySegment source) throws BlockException {
                    disk.hook.before("metadata-write", offset, source.byteSize());
                    disk.write(offset, source);
                }

                @Override
                public Optional<MappedView> map(long reserveBytes) {
                    return Optional.empty();
                }
            };
        }

        @Override
        public void updatePermissions(Set<Permission> used, Set<Permission> shared) throws BlockException {
            synchronized (disk) {
                for (Map.Entry<Object, MemoryDisk.Locks> other : disk.locks.entrySet()) {
                    if (other.getKey() != this) {
                        check("Failed to get", used, other.getValue().shared());
                        check("Failed to get shared", other.getValue().used(), shared);
                    }
                }
                disk.locks.put(this, new MemoryDisk.Locks(Set.copyOf(used), Set.copyOf(shared)));
            }
        }

        private static void check(String failed, Set<Permission> wanted, Set<Permission> allowed)
                throws BlockException {
            for (Permission permission : Permission.values()) {
                if (wanted.contains(permission) && !allowed.contains(permission)) {
                    throw new BlockException(Kind.LOCKED, failed + " \"" + permission.label() + "\" lock");
                }
            }
        }

        @Override
        public void syncName() {}

        @Override
        public void flush() throws BlockException {
            disk.hook.before("flush", 0, 0);
            disk.flushes.incrementAndGet();
        }

        @Override
        public void close() {
            if (closed) {
                throw new IllegalStateException("closed twice");
            }
            closed = true;
            synchronized (disk) {
                disk.locks.remove(this);
                disk.openInstances--;
            }
        }

        private void check(long offset, long lengthBytes, @org.jspecify.annotations.Nullable MemorySegment buffer) {
            if (closed) {
                throw new IllegalStateException("used after close");
            }
            BlockLimits limits = disk.limits;
            if ((offset | lengthBytes) % limits.requestAlignmentBytes() != 0
                    || (buffer != null && lengthBytes > limits.maxTransferBytes())) {
                throw new IllegalArgumentException("request " + offset + "+" + lengthBytes + " breaks the limits");
            }
            if (buffer != null && (!buffer.isNative() || buffer.address() % limits.memoryAlignmentBytes() != 0)) {
                throw new IllegalArgumentException("buffer breaks the limits");
            }
        }
    }
}
