package dev.ashlar.nativeio;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Pieces of memory for one vectored transfer, a reusable array of {@code struct iovec}.
 *
 * <p>Owned by one thread at a time, and not to be changed while a transfer with it is under way. It
 * keeps its pieces reachable; pieces from an arena that is closed by hand must outlive every
 * transfer.
 */
public final class IoVector {
    /** The kernel's bound on the number of pieces (UIO_MAXIOV). */
    public static final int MAX_CAPACITY = 1024;

    private static final long ENTRY_BYTES = 16;

    private final MemorySegment entries;
    private final MemorySegment[] pieces;
    private int count;
    private long lengthBytes;
    private boolean writable = true;

    /** Makes an empty vector for at most {@code capacity} pieces, 1 to {@link #MAX_CAPACITY}. */
    public IoVector(int capacity) {
        if (capacity < 1 || capacity > MAX_CAPACITY) {
            throw new IllegalArgumentException("capacity must be 1 to 1024: " + capacity);
        }
        entries = Arena.ofAuto().allocate(capacity * ENTRY_BYTES, JAVA_LONG.byteAlignment());
        pieces = new MemorySegment[capacity];
        Arrays.fill(pieces, MemorySegment.NULL);
    }

    /** Adds a piece of native memory; the vector must have room. */
    public void add(MemorySegment piece) {
        Buffers.requireNative(piece);
        if (count == pieces.length) {
            throw new IllegalStateException("vector is full: " + count);
        }
        entries.set(JAVA_LONG, count * ENTRY_BYTES, piece.address());
        entries.set(JAVA_LONG, count * ENTRY_BYTES + JAVA_LONG.byteSize(), piece.byteSize());
        pieces[count++] = piece;
        lengthBytes = Math.addExact(lengthBytes, piece.byteSize());
        writable &= !piece.isReadOnly();
    }

    /** Removes all pieces. */
    public void clear() {
        Arrays.fill(pieces, 0, count, MemorySegment.NULL);
        count = 0;
        lengthBytes = 0;
        writable = true;
    }

    /** Number of pieces. */
    public int count() {
        return count;
    }

    /** Sum of the pieces' lengths. */
    public long lengthBytes() {
        return lengthBytes;
    }

    MemorySegment entries() {
        return entries;
    }

    void requireWritable() {
        if (!writable) {
            throw new IllegalArgumentException("buffers must be writable");
        }
    }
}
