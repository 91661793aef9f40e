package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;

/**
 * Limits that a {@code blkdebug} node pretends to have.
 *
 * @param seen what parents keep to
 * @param maxWriteZeroesBytes longest zeroing passed on, 0: any
 * @param maxDiscardBytes longest discard passed on, 0: any
 */
record BlkdebugLimits(BlockLimits seen, long maxWriteZeroesBytes, long maxDiscardBytes) {
    private static final long MAX_BYTES = Integer.MAX_VALUE;

    /** Reads {@code align}, {@code max-transfer}, {@code opt-write-zero} and so on; 0 or absent: as the child has it. */
    static BlkdebugLimits of(FilterOptions options, BlockLimits child) throws BlockException {
        long align = powerOfTwo("align", options.size("align", 0), 1);
        long alignment = align == 0 ? child.requestAlignmentBytes() : align;
        long maxTransfer = multiple("max-transfer", options.size("max-transfer", 0), alignment);
        long zeroUnit = powerOfTwo("opt-write-zero", options.size("opt-write-zero", 0), alignment);
        long maxZero = multiple("max-write-zero", options.size("max-write-zero", 0), Math.max(zeroUnit, alignment));
        long discardUnit = powerOfTwo("opt-discard", options.size("opt-discard", 0), alignment);
        long maxDiscard = multiple("max-discard", options.size("max-discard", 0), Math.max(discardUnit, alignment));
        BlockLimits seen = new BlockLimits(
                (int) alignment,
                1,
                maxTransfer == 0 ? Math.max(BlockLimits.NONE.maxTransferBytes(), alignment) : maxTransfer,
                discardUnit == 0 ? child.discardAlignmentBytes() : (int) discardUnit,
                zeroUnit == 0 ? child.writeZeroesAlignmentBytes() : (int) zeroUnit);
        return new BlkdebugLimits(seen, maxZero, maxDiscard);
    }

    private static long powerOfTwo(String name, long bytes, long unit) throws BlockException {
        if (bytes != 0 && (bytes > MAX_BYTES || Long.bitCount(bytes) != 1 || bytes % unit != 0)) {
            throw refused(name, bytes);
        }
        return bytes;
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
