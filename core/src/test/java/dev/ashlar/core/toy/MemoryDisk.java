package dev.ashlar.core.toy;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.Permission;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;

/** A host file in memory that outlives its openings, with switches for what can go wrong. */
public final class MemoryDisk {
    /** Looks at, delays or fails an operation. */
    @FunctionalInterface
    public interface Hook {
        void before(String operation, long offset, long lengthBytes) throws BlockException;
    }

    public final String name;
    public volatile BlockLimits limits = BlockLimits.NONE;
    public volatile Hook hook = (operation, offset, lengthBytes) -> {};
    /** Data operations under way. */
    public final AtomicInteger busy = new AtomicInteger();

    public final AtomicInteger writes = new AtomicInteger();
    public final AtomicInteger flushes = new AtomicInteger();
    /** What one opening does and lets others do, as a stand-in for locks between processes. */
    public record Locks(Set<Permission> used, Set<Permission> shared) {}

    /** By opening; guarded by the disk. */
    public final Map<Object, Locks> locks = new LinkedHashMap<>();

    public int openInstances;

    private byte[] content = new byte[0];
    private int length;

    public MemoryDisk(String name) {
        this.name = name;
    }

    public synchronized long length() {
        return length;
    }

    public synchronized void setLength(long lengthBytes) {
        int wanted = Math.toIntExact(lengthBytes);
        if (wanted > content.length) {
            content = Arrays.copyOf(content, Math.max(wanted, content.length * 2));
        }
        if (wanted < length) {
            Arrays.fill(content, wanted, length, (byte) 0);
        }
        length = wanted;
    }

    public synchronized void read(long offset, MemorySegment destination) {
        int available = (int) Math.max(0, Math.min(destination.byteSize(), length - offset));
        if (available > 0) {
            MemorySegment.copy(content, (int) offset, destination, ValueLayout.JAVA_BYTE, 0, available);
        }
        destination.asSlice(available).fill((byte) 0);
    }

    public synchronized void write(long offset, MemorySegment source) {
        int end = Math.toIntExact(offset + source.byteSize());
        if (end > length) {
            setLength(end);
        }
        MemorySegment.copy(source, ValueLayout.JAVA_BYTE, 0, content, (int) offset, (int) source.byteSize());
    }

    public synchronized byte[] bytes() {
        return Arrays.copyOf(content, length);
    }
}
