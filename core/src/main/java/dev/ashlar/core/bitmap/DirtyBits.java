package dev.ashlar.core.bitmap;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Bits by number, set and cleared by any thread at the same time. Words of 64, in chunks that are allocated when their first bit is set, so a
 * disk of any size costs what is dirty of it.
 *
 * <p>Each word changes atomically, and words stay where they are: a bit that is set after another thread began to clear the range is
 * either cleared with it or seen afterwards.
 */
final class DirtyBits {
    /** Bits per chunk, a power of two. */
    static final int CHUNK_BITS = 1 << 16;

    /** Most bits, so that the list of chunks stays within 32 MiB. */
    static final long MAX_BITS = 1L << 38;

    private static final int CHUNK_WORDS = CHUNK_BITS / Long.SIZE;
    private static final VarHandle WORDS = MethodHandles.arrayElementVarHandle(long[].class);
    private static final VarHandle CHUNKS = MethodHandles.arrayElementVarHandle(long[][].class);
    private static final ValueLayout.OfLong DISK_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Elements are null while nothing was set in their chunk; changed under this object's monitor. */
    private volatile long[][] chunks;

    private volatile long length;

    /** @param length number of bits, all clear, up to {@link #MAX_BITS} */
    DirtyBits(long length) {
        this.length = length;
        this.chunks = new long[chunkCount(length)][];
    }

    private static int chunkCount(long length) {
        if (length < 0 || length > MAX_BITS) {
            throw new IllegalArgumentException("number of bits " + length);
        }
        return (int) ((length + CHUNK_BITS - 1) / CHUNK_BITS);
    }

    long length() {
        return length;
    }

    /** Gives the bits another number; new ones are clear. Nobody sets bits behind the new end meanwhile. */
    synchronized void resize(long newLength) {
        int count = chunkCount(newLength);
        long before = length;
        if (newLength < before) {
            clear(newLength, before);
        }
        if (count != chunks.length) {
            chunks = Arrays.copyOf(chunks, count);
        }
        length = newLength;
    }

    /** Sets the bits from {@code from} up to {@code to}, which is behind the last. */
    void set(long from, long to) {
        for (long bit = from; bit < to; ) {
            long[] chunk = chunkForSetting((int) (bit / CHUNK_BITS));
            int at = (int) (bit % CHUNK_BITS);
            int end = (int) Math.min(CHUNK_BITS, at + (to - bit));
            bit += end - at;
            while (at < end) {
                int word = at / Long.SIZE;
                long mask = mask(at, end);
                long old = (long) WORDS.getVolatile(chunk, word);
                if ((old & mask) != mask) {
                    WORDS.getAndBitwiseOr(chunk, word, mask);
                }
                at = (word + 1) * Long.SIZE;
            }
        }
    }

    /** Clears the bits from {@code from} up to {@code to}, which is behind the last. */
    void clear(long from, long to) {
        for (long bit = from; bit < to; ) {
            long[] chunk = chunk((int) (bit / CHUNK_BITS));
            int at = (int) (bit % CHUNK_BITS);
            int end = (int) Math.min(CHUNK_BITS, at + (to - bit));
            bit += end - at;
            while (chunk != null && at < end) {
                int word = at / Long.SIZE;
                long mask = mask(at, end);
                if (((long) WORDS.getVolatile(chunk, word) & mask) != 0) {
                    WORDS.getAndBitwiseAnd(chunk, word, ~mask);
                }
                at = (word + 1) * Long.SIZE;
            }
        }
    }

    /** The bits of a word from {@code at} up to {@code end}, both counted in the chunk. */
    private static long mask(int at, int end) {
        int first = at % Long.SIZE;
        int bits = Math.min(Long.SIZE - first, end - at);
        return (bits == Long.SIZE ? -1L : (1L << bits) - 1) << first;
    }

    boolean get(long bit) {
        long[] chunk = chunk((int) (bit / CHUNK_BITS));
        int at = (int) (bit % CHUNK_BITS);
        return chunk != null && ((long) WORDS.getVolatile(chunk, at / Long.SIZE) >>> at % Long.SIZE & 1) != 0;
    }

    /** The first set bit in the range, or -1. */
    long nextSet(long from, long to) {
        return next(from, to, 0);
    }

    /** The first clear bit in the range, or -1. */
    long nextClear(long from, long to) {
        return next(from, to, -1);
    }

    /** @param inverted 0 to look for set bits, -1 for clear ones */
    private long next(long from, long to, long inverted) {
        for (long bit = from; bit < to; ) {
            long[] chunk = chunk((int) (bit / CHUNK_BITS));
            int at = (int) (bit % CHUNK_BITS);
            long chunkStart = bit - at;
            if (chunk == null) {
                if (inverted != 0) {
                    return bit;
                }
                bit = chunkStart + CHUNK_BITS;
                continue;
            }
            int word = at / Long.SIZE;
            long found = ((long) WORDS.getVolatile(chunk, word) ^ inverted) & -1L << at % Long.SIZE;
            while (found == 0 && ++word < CHUNK_WORDS) {
                found = (long) WORDS.getVolatile(chunk, word) ^ inverted;
            }
            if (found != 0) {
                long hit = chunkStart + (long) word * Long.SIZE + Long.numberOfTrailingZeros(found);
                return hit < to ? hit : -1;
            }
            bit = chunkStart + CHUNK_BITS;
        }
        return -1;
    }

    /** Number of set bits. */
    long count() {
        long sum = 0;
        for (int i = 0; i < chunks.length; i++) {
            long[] chunk = chunk(i);
            for (int word = 0; chunk != null && word < CHUNK_WORDS; word++) {
                sum += Long.bitCount((long) WORDS.getVolatile(chunk, word));
            }
        }
        return sum;
    }

    /** Sets every bit that is set in {@code other}, which has the same length. */
    void or(DirtyBits other) {
        for (int i = 0; i < other.chunks.length; i++) {
            long[] from = other.chunk(i);
            if (from == null) {
                continue;
            }
            long[] into = chunkForSetting(i);
            for (int word = 0; word < CHUNK_WORDS; word++) {
                long bits = (long) WORDS.getVolatile(from, word);
                if (bits != 0) {
                    WORDS.getAndBitwiseOr(into, word, bits);
                }
            }
        }
    }

    /**
     * Writes bits in their form on disks: bit <i>n</i> is bit <i>n</i> mod 8 of byte <i>n</i> / 8.
     *
     * @param from first bit, a multiple of 64
     * @param destination a multiple of 8 bytes long; what is behind the last bit becomes 0
     * @return whether a bit was set
     */
    boolean copyTo(long from, MemorySegment destination) {
        boolean any = false;
        for (long at = 0; at < destination.byteSize(); at += Long.BYTES) {
            long word = 0;
            long bit = from + at * Byte.SIZE;
            long[] chunk = bit < length ? chunk((int) (bit / CHUNK_BITS)) : null;
            if (chunk != null) {
                word = (long) WORDS.getVolatile(chunk, (int) (bit % CHUNK_BITS) / Long.SIZE);
            }
            any |= word != 0;
            destination.set(DISK_LONG, at, word);
        }
        return any;
    }

    /** Sets the bits that are set in the form that {@link #copyTo} writes; bits behind the end are left out. */
    void setFrom(long from, MemorySegment source) {
        for (long at = 0; at < source.byteSize() && from + at * Byte.SIZE < length; at += Long.BYTES) {
            long word = source.get(DISK_LONG, at);
            long bit = from + at * Byte.SIZE;
            if (length - bit < Long.SIZE) {
                word &= (1L << (length - bit)) - 1;
            }
            if (word != 0) {
                WORDS.getAndBitwiseOr(
                        chunkForSetting((int) (bit / CHUNK_BITS)), (int) (bit % CHUNK_BITS) / Long.SIZE, word);
            }
        }
    }

    private long @org.jspecify.annotations.Nullable [] chunk(int index) {
        long[][] all = chunks;
        return index < all.length ? (long[]) CHUNKS.getVolatile(all, index) : null;
    }

    private long[] chunkForSetting(int index) {
        long[] chunk = chunk(index);
        return chunk != null ? chunk : allocate(index);
    }

    private synchronized long[] allocate(int index) {
        long[] chunk = chunks[index];
        if (chunk == null) {
            chunk = new long[CHUNK_WORDS];
            CHUNKS.setVolatile(chunks, index, chunk);
        }
        return chunk;
    }
}
