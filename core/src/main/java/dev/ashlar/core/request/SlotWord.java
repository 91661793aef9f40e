package dev.ashlar.core.request;

/**
 * A byte range in one long, rounded outward to 64 KiB, so that a slot is claimed and described by one atomic write. Rounding
 * makes a serialising request wait for a neighbour now and then; it never hides an overlap.
 *
 * <pre>
 *  63                    17 16              1   0
 * +------------------------+-----------------+---+
 * | start / 64 KiB         | length / 64 KiB | 1 |
 * +------------------------+-----------------+---+
 * </pre>
 *
 * Length 0 overlaps nothing (a flush), the largest length means: to the end of the world. 0 is a free slot.
 */
final class SlotWord {
    static final long FREE = 0;

    private static final int UNIT_BITS = 16;
    private static final long LENGTH_MAX = 0xffff;

    private SlotWord() {}

    static long of(long start, long end) {
        if (end <= start) {
            return 1;
        }
        long first = start >>> UNIT_BITS;
        long length = ((end - 1) >>> UNIT_BITS) - first + 1;
        return first << 17 | Math.min(length, LENGTH_MAX) << 1 | 1;
    }

    static boolean overlaps(long word, long start, long end) {
        long length = word >>> 1 & LENGTH_MAX;
        if (word == FREE || length == 0) {
            return false;
        }
        long first = word >>> 17;
        // In units: in bytes the end of a range at the end of the world would overflow.
        return first << UNIT_BITS < end && (length == LENGTH_MAX || start >>> UNIT_BITS < first + length);
    }
}
