package dev.ashlar.drivers.qcow2.format;

/**
 * The second word of an extended L2 entry: the state of each of the 32 sub-clusters. Pure arithmetic on the word.
 *
 * <pre>
 *   63 ............ 32   31 ............ 0
 *   reads as zeros       allocated           bit 32 + n and bit n: sub-cluster n
 * </pre>
 *
 * At most one of both bits is set; neither: the backing file answers. A standard cluster goes as one with a single sub-cluster (bits 0 and 32).
 * Source: qcow2 specification, "Extended L2 Entries".
 */
public final class SubclusterBitmap {
    /** Every sub-cluster reads as zeros. */
    public static final long ALL_ZEROS = 0xffff_ffff_0000_0000L;

    private static final long ALLOCATED = 0xffff_ffffL;

    private SubclusterBitmap() {}

    /** The allocation bits of sub-clusters {@code [from, to)}. */
    public static long range(int from, int to) {
        return ((1L << to) - 1) & -(1L << from);
    }

    public static boolean isAllocated(long bitmap, int subcluster) {
        return (bitmap >>> subcluster & 1) != 0;
    }

    public static boolean isZero(long bitmap, int subcluster) {
        return (bitmap >>> (32 + subcluster) & 1) != 0;
    }

    /** The allocation bits alone. */
    public static long allocated(long bitmap) {
        return bitmap & ALLOCATED;
    }

    /** Some sub-cluster claims to be both allocated and zeros. */
    public static boolean contradicts(long bitmap) {
        return (bitmap >>> 32 & bitmap) != 0;
    }

    /** @param range as {@link #range} gives it: these hold data from now on */
    public static long withData(long bitmap, long range) {
        return (bitmap | range) & ~(range << 32);
    }

    /** @param range as {@link #range} gives it: these read as zeros from now on */
    public static long withZeros(long bitmap, long range) {
        return (bitmap | range << 32) & ~range;
    }

    /** The first sub-cluster behind {@code from} whose state is another, at most {@code end}. */
    public static int runEnd(long bitmap, int from, int end) {
        long same = state(bitmap, from);
        int at = from + 1;
        while (at < end && state(bitmap, at) == same) {
            at++;
        }
        return at;
    }

    private static long state(long bitmap, int subcluster) {
        return bitmap >>> subcluster & 0x1_0000_0001L;
    }
}
