package dev.ashlar.core;

/**
 * What requests to a node must look like.
 *
 * @param requestAlignmentBytes offsets and lengths must be multiples of it; a power of two, at least 1. Core pads
 *     requests that are not
 * @param memoryAlignmentBytes buffers must start at a multiple of it; a power of two, at least 1
 * @param maxTransferBytes longest single read or write, a multiple of the request alignment; zeroing and discarding have no
 *     such limit
 * @param discardAlignmentBytes discards are cut to multiples of it; a power of two
 * @param writeZeroesAlignmentBytes granularity at which zeroing is cheaper than writing zeros; a power of two
 */
public record BlockLimits(
        int requestAlignmentBytes,
        int memoryAlignmentBytes,
        long maxTransferBytes,
        int discardAlignmentBytes,
        int writeZeroesAlignmentBytes) {

    /** No constraint but a 1 GiB transfer limit. */
    public static final BlockLimits NONE = new BlockLimits(1, 1, 1L << 30, 1, 1);

    public BlockLimits {
        requirePowerOfTwo(requestAlignmentBytes, "requestAlignmentBytes");
        requirePowerOfTwo(memoryAlignmentBytes, "memoryAlignmentBytes");
        requirePowerOfTwo(discardAlignmentBytes, "discardAlignmentBytes");
        requirePowerOfTwo(writeZeroesAlignmentBytes, "writeZeroesAlignmentBytes");
        if (maxTransferBytes < requestAlignmentBytes || maxTransferBytes % requestAlignmentBytes != 0) {
            throw new IllegalArgumentException("maxTransferBytes " + maxTransferBytes);
        }
    }

    private static void requirePowerOfTwo(int value, String name) {
        if (value <= 0 || (value & (value - 1)) != 0) {
            throw new IllegalArgumentException(name + " must be a power of two: " + value);
        }
    }
}
