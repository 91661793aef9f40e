package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.CompressionCapable;
import dev.ashlar.core.spi.FormatInstance;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Allocation units in compressed form, one behind the other in a buffer, ready to be written. Made without touching the image; good only for the instance that
 * made them. Belongs to one thread; {@link #close} gives the buffer back.
 */
final class EncodedUnits implements AutoCloseable {
    /** Guest bytes whose compressed form one object holds at most, unless a unit is larger. */
    private static final int MAX_GUEST_BYTES = 2 << 20;

    private final FormatInstance madeBy;
    private final MemorySegment source;
    private final int unitBytes;
    private final MemorySegment buffer;
    private final int[] sizes;
    private boolean closed;

    private EncodedUnits(FormatInstance madeBy, CompressionCapable codec, MemorySegment source, int unitBytes)
            throws BlockException {
        this.madeBy = madeBy;
        this.source = source;
        this.unitBytes = unitBytes;
        this.sizes = new int[Math.toIntExact((source.byteSize() + unitBytes - 1) / unitBytes)];
        this.buffer = BufferPool.acquire((long) sizes.length * unitBytes);
        try {
            long used = 0;
            for (int i = 0; i < sizes.length; i++) {
                sizes[i] = codec.compress(guest(i, i + 1), buffer.asSlice(used, unitBytes));
                used += Math.max(sizes[i], 0);
            }
        } catch (BlockException | RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /**
     * Compresses a buffer that starts at the start of a unit and lasts for whole units or up to the end of the disk.
     *
     * @param source not to be changed before all is written
     */
    static List<EncodedUnits> of(FormatInstance madeBy, CompressionCapable codec, MemorySegment source)
            throws BlockException {
        int unitBytes = Math.toIntExact(madeBy.allocationUnitBytes());
        long step = Math.max(MAX_GUEST_BYTES, unitBytes);
        List<EncodedUnits> all = new ArrayList<>();
        try {
            for (long at = 0; at < source.byteSize(); at += step) {
                MemorySegment part = source.asSlice(at, Math.min(step, source.byteSize() - at));
                all.add(new EncodedUnits(madeBy, codec, part, unitBytes));
            }
        } catch (BlockException | RuntimeException | Error e) {
            all.forEach(EncodedUnits::close);
            throw e;
        }
        return all;
    }

    boolean isOf(FormatInstance instance) {
        return madeBy.equals(instance) && !closed;
    }

    int count() {
        return sizes.length;
    }

    boolean isCompressed(int unit) {
        return sizes[unit] != CompressionCapable.INCOMPRESSIBLE;
    }

    int[] sizes() {
        return sizes;
    }

    long guestBytes() {
        return source.byteSize();
    }

    /** Distance of a unit from the first one. */
    long guestDistance(int unit) {
        return (long) unit * unitBytes;
    }

    /** The guest bytes of units {@code [from, to)}; the last one of the disk may be short. */
    MemorySegment guest(int from, int to) {
        long start = guestDistance(from);
        return source.asSlice(start, Math.min(guestDistance(to), source.byteSize()) - start);
    }

    /** The compressed bytes of units {@code [from, to)}, all of which are compressed. @param start where they start in the buffer */
    MemorySegment encoded(long start, int from, int to) {
        long length = 0;
        for (int i = from; i < to; i++) {
            length += sizes[i];
        }
        return buffer.asSlice(start, length);
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            BufferPool.release(buffer);
        }
    }
}
