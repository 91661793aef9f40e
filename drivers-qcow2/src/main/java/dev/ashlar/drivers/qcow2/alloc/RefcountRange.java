package dev.ashlar.drivers.qcow2.alloc;

import dev.ashlar.drivers.qcow2.format.RefcountWidth;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Arithmetic on runs of refcounts in one block. Counts of 16 bits, the format's default, go four to a 64-bit word: with no lane at its limit a
 * plain addition carries nothing from one lane into the next.
 */
public final class RefcountRange {
    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final long ONES = 0x0001_0001_0001_0001L;
    private static final long HIGHS = 0x8000_8000_8000_8000L;
    private static final int LANES = 4;

    /** Loads counts with their two bytes exchanged: on the processors at hand that is the order without work. */
    private static final ValueLayout.OfLong EXCHANGED =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final long EXCHANGED_ONES = 0x0100_0100_0100_0100L;
    private static final int CHUNK_WORDS = 64;
    private static final int CHUNK = CHUNK_WORDS * LANES;

    private RefcountRange() {}

    /**
     * Adds {@code delta} to {@code count} refcounts from index {@code from}: to all or to none.
     *
     * @param delta 1 or -1
     * @param maximum unsigned
     * @return -1, or the index of a count that would leave {@code [0, maximum]}
     */
    public static int add(MemorySegment block, int order, int from, int count, int delta, long maximum) {
        int failed = order == 4
                ? add16(block, from, from + count, delta)
                : addAny(block, order, from, from + count, delta, maximum);
        if (failed > from) {
            add(block, order, from, failed - from, -delta, maximum);
        }
        return failed;
    }

    private static int addAny(MemorySegment block, int order, int from, int to, int delta, long maximum) {
        for (int i = from; i < to; i++) {
            long old = RefcountWidth.get(block, 0, order, i);
            if (delta > 0 ? old == maximum : old == 0) {
                return i;
            }
            RefcountWidth.set(block, order, i, old + delta);
        }
        return -1;
    }

    private static int add16(MemorySegment block, int from, int to, int delta) {
        int i = from;
        for (; i < to && (i & (LANES - 1)) != 0; i++) {
            if (!addOne16(block, i, delta)) {
                return i;
            }
        }
        while (i + CHUNK <= to && addToSmall16(block, 2L * i, delta)) {
            i += CHUNK;
        }
        for (; i + LANES <= to; i += LANES) {
            long word = block.get(WORD, 2L * i);
            // a lane at its limit: 0xffff when adding, 0 when subtracting
            if (hasZeroLane(delta > 0 ? ~word : word)) {
                break;
            }
            block.set(WORD, 2L * i, delta > 0 ? word + ONES : word - ONES);
        }
        for (; i < to; i++) {
            if (!addOne16(block, i, delta)) {
                return i;
            }
        }
        return -1;
    }

    /**
     * The usual case: a chunk in which all counts stay small, so that the low byte carries nothing into the high one. No branches and no
     * early end inside the loops, which therefore become vector instructions.
     *
     * @return false: nothing was changed
     */
    private static boolean addToSmall16(MemorySegment block, long offset, int delta) {
        long step = delta > 0 ? EXCHANGED_ONES : -EXCHANGED_ONES;
        long probe = delta > 0 ? 0 : step;
        long seen = 0;
        for (int i = 0; i < CHUNK_WORDS; i++) {
            seen |= block.get(EXCHANGED, offset + 8L * i) + probe;
        }
        // a low byte of 128 or more, or one that went below 0
        if ((seen & HIGHS) != 0) {
            return false;
        }
        for (int i = 0; i < CHUNK_WORDS; i++) {
            block.set(EXCHANGED, offset + 8L * i, block.get(EXCHANGED, offset + 8L * i) + step);
        }
        return true;
    }

    private static boolean addOne16(MemorySegment block, int index, int delta) {
        long old = RefcountWidth.get(block, 0, 4, index);
        if (delta > 0 ? old == 0xffff : old == 0) {
            return false;
        }
        RefcountWidth.set(block, 4, index, old + delta);
        return true;
    }

    private static boolean hasZeroLane(long word) {
        return ((word - ONES) & ~word & HIGHS) != 0;
    }

    /** Whether a chunk has a count of 0; exact, whatever the order of the bytes. */
    private static boolean hasZero16(MemorySegment block, long offset) {
        long zeros = 0;
        for (int i = 0; i < CHUNK_WORDS; i++) {
            long word = block.get(EXCHANGED, offset + 8L * i);
            zeros |= (word - ONES) & ~word;
        }
        return (zeros & HIGHS) != 0;
    }

    /** Index of the first refcount of 0 in {@code [from, to)}, or -1. */
    public static int findZero(MemorySegment block, int order, int from, int to) {
        int i = from;
        while (order == 4 && i + CHUNK <= to && !hasZero16(block, 2L * i)) {
            i += CHUNK;
        }
        while (i < to) {
            if (order == 4 && (i & (LANES - 1)) == 0 && i + LANES <= to && !hasZeroLane(block.get(WORD, 2L * i))) {
                i += LANES;
            } else if (RefcountWidth.get(block, 0, order, i) == 0) {
                return i;
            } else {
                i++;
            }
        }
        return -1;
    }
}
