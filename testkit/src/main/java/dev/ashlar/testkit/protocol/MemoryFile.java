package dev.ashlar.testkit.protocol;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.Permission;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.testkit.SparseBytes;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * A file without a file system, outliving the {@linkplain MemoryProtocol instances} opened on it. Configure before opening.
 * Thread-safe.
 */
public final class MemoryFile {
    /** What a discarded range reads as; a driver must not care. */
    public static final byte DISCARDED = (byte) 0xDA;

    private record Claim(Set<Permission> used, Set<Permission> shared) {}

    private final String name;
    private final Storage storage;
    private final Map<MemoryProtocol, Claim> claims = new HashMap<>();
    private BlockLimits limits = BlockLimits.NONE;
    private long capacityBytes = Long.MAX_VALUE;

    private MemoryFile(String name, Storage storage) {
        this.name = Objects.requireNonNull(name, "name");
        this.storage = storage;
    }

    /** An empty file in memory; it can't be mapped. */
    public static MemoryFile empty(String name) {
        return of(name, new SparseBytes());
    }

    /** A file in memory with the given content, which it takes over. */
    public static MemoryFile of(String name, SparseBytes content) {
        return new MemoryFile(name, new Storage.Heap(content));
    }

    /** An empty file that can be mapped: its content lives in an unlinked temporary file. */
    public static MemoryFile mappable(String name) {
        return new MemoryFile(name, Storage.Mappable.create());
    }

    /** Sets the constraints that requests are checked against. */
    public MemoryFile limits(BlockLimits newLimits) {
        this.limits = Objects.requireNonNull(newLimits, "newLimits");
        return this;
    }

    /** Growth past this length fails with NO_SPACE. */
    public MemoryFile capacityBytes(long newCapacityBytes) {
        this.capacityBytes = newCapacityBytes;
        return this;
    }

    public String name() {
        return name;
    }

    public BlockLimits limits() {
        return limits;
    }

    public synchronized long lengthBytes() {
        return storage.lengthBytes();
    }

    /** An independent copy of the present content. */
    public synchronized SparseBytes snapshot() {
        return storage.copy();
    }

    synchronized void read(long offset, MemorySegment destination) {
        storage.read(offset, destination);
    }

    synchronized void write(long offset, MemorySegment source) throws BlockException {
        requireRoom(offset + source.byteSize());
        storage.write(offset, source);
    }

    synchronized void fill(long offset, long count, byte value) throws BlockException {
        requireRoom(offset + count);
        storage.fill(offset, count, value);
    }

    synchronized void discard(long offset, long count) {
        long end = Math.min(offset + count, storage.lengthBytes());
        if (end > offset) {
            storage.fill(offset, end - offset, DISCARDED);
        }
    }

    synchronized void truncate(long newLengthBytes) throws BlockException {
        requireRoom(newLengthBytes);
        storage.setLengthBytes(newLengthBytes);
    }

    synchronized boolean isZero(long offset, long count) {
        return storage.isZero(offset, count);
    }

    synchronized Optional<MetadataAccess.MappedView> map(long reserveBytes) {
        return storage.map(reserveBytes);
    }

    synchronized void claim(MemoryProtocol holder, Set<Permission> used, Set<Permission> shared) throws BlockException {
        for (Map.Entry<MemoryProtocol, Claim> other : claims.entrySet()) {
            if (other.getKey() != holder) {
                requireShared(used, other.getValue().shared());
                requireShared(other.getValue().used(), shared);
            }
        }
        claims.put(holder, new Claim(Set.copyOf(used), Set.copyOf(shared)));
    }

    synchronized void release(MemoryProtocol holder) {
        claims.remove(holder);
    }

    private void requireShared(Set<Permission> used, Set<Permission> shared) throws BlockException {
        Set<Permission> missing = EnumSet.noneOf(Permission.class);
        missing.addAll(used);
        missing.removeAll(shared);
        if (!missing.isEmpty()) {
            throw new BlockException(
                    Kind.LOCKED, "Failed to get \"" + missing.iterator().next().label() + "\" lock on '" + name + "'");
        }
    }

    private void requireRoom(long endBytes) throws BlockException {
        if (endBytes > capacityBytes && endBytes > storage.lengthBytes()) {
            throw new BlockException(Kind.NO_SPACE, "Could not write to '" + name + "': " + Kind.NO_SPACE.reason());
        }
    }
}
