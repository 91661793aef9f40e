package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;

/**
 * Limits that a {@code blkdebug} node pretends to have.
 *
 * @param seen what parents keep to
 * @param zeroUnitBytes zeroing of less is written as data; at least 1, any number
 * @param maxWriteZeroesBytes longest zeroing passed on, 0: any
 * @param maxDiscardBytes longest discard passed on, 0: any
 */
record BlkdebugLimits(BlockLimits seen, long zeroUnitBytes, long maxWriteZeroesBytes, long maxDiscardBytes) {
    private static final long MAX_BYTES = Integer.MAX_VALUE;

    /** Reads {@code align}, {@code max-transfer}, {@code opt-write-zero} and so on; 0 or absent: as the child has it. */
    static BlkdebugLimits of(FilterOptions options, BlockLimits child) throws BlockException {
        long align = options.size("align", 0);
        if (Long.bitCount(align) > 1 || align > MAX_BYTES) {
            throw refused("align", align);
        }
        long alignment = align == 0 ? child.requestAlignmentBytes() : align;
        long maxTransfer = multiple("max-transfer", options.size("max-transfer", 0), alignment);
        long zeroUnit = multiple("opt-write-zero", options.size("opt-write-zero", 0), alignment);
        long maxZero = multiple("max-write-zero", options.size("max-write-zero", 0), Math.max(zeroUnit, alignment));
        long discardUnit = multiple("opt-discard", options.size("opt-discard", 0), alignment);
        long maxDiscard = multiple("max-discard", options.size("max-discard", 0), Math.max(discardUnit, alignment));
        BlockLimits seen = new BlockLimits(
                (int) alignment,
                1,
                maxTransfer == 0 ? Math.max(BlockLimits.NONE.maxTransferBytes(), alignment) : maxTransfer,
                hint(discardUnit, child.discardAlignmentBytes()),
                hint(zeroUnit, child.writeZeroesAlignmentBytes()));
        return new BlkdebugLimits(
                seen, Math.max(zeroUnit == 0 ? seen.writeZeroesAlignmentBytes() : zeroUnit, 1), maxZero, maxDiscard);
    }

    /** What parents are told: a power of two that divides the unit. */
    private static int hint(long unit, int child) {
        return unit == 0 ? child : (int) Long.lowestOneBit(unit);
    }

    private static long multiple(String name, long bytes, long unit) throws BlockException {
        if (bytes > MAX_BYTES || bytes % unit != 0) {
            throw refused(name, bytes);
        }
        return bytes;
    }

    private static BlockException refused(String name, long bytes) {
        return new BlockException(Kind.INVALID, "Cannot meet constraints with " + name + " " + bytes);
    }
}
