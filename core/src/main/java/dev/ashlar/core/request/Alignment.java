package dev.ashlar.core.request;

/** Arithmetic of offsets and units. A unit is a power of two, an offset or length not negative. */
final class Alignment {
    private Alignment() {}

    /** The last multiple that is not behind the value. */
    static long down(long value, long unit) {
        return value & -unit;
    }

    /** The first multiple that is not before the value, {@link Long#MAX_VALUE} at most. */
    static long up(long value, long unit) {
        long sum = value + unit - 1;
        return sum < 0 ? Long.MAX_VALUE : sum & -unit;
    }

    /** Whether both are multiples of the unit. */
    static boolean isAligned(long offset, long lengthBytes, long unit) {
        return ((offset | lengthBytes) & (unit - 1)) == 0;
    }
}
