package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockStatus;

/**
 * Zeros within one of a format's {@linkplain dev.ashlar.core.spi.FormatInstance#zeroUnitBytes zero units}. The whole unit becomes zeros of the layer by its
 * entry alone where it has no data yet and what surrounds the range reads as zeros; else zeros are written as data.
 */
final class PartialUnit {
    private PartialUnit() {}

    /**
     * Zeros a range; the caller's request serialises on the unit.
     *
     * @param unitBytes the layer's zero unit, a power of two
     * @param lengthBytes 0 or more; the range does not leave the unit that it begins in
     */
    static void zero(FormatLayer layer, long unitBytes, long offset, long lengthBytes, boolean mayUnmap)
            throws BlockException {
        if (lengthBytes == 0) {
            return;
        }
        BlockStatus own = layer.allocatedOf(offset, lengthBytes);
        if (own.data()) {
            if (!own.zero() || own.lengthBytes() < lengthBytes) {
                Zeros.write(layer, offset, lengthBytes);
            }
            return;
        }
        long start = Alignment.down(offset, unitBytes);
        long unit = Math.min(unitBytes, layer.lengthBytes() - start);
        long end = offset + lengthBytes;
        // Also where all of it reads as zeros already, but not from here: another backing file may come to stand
        // behind.
        boolean zeroAround = isZero(layer, start, offset) && isZero(layer, end, start + unit);
        if (!zeroAround || layer.instance().writeZeroes(start, unit, mayUnmap) < unit) {
            Zeros.write(layer, offset, lengthBytes);
        }
    }

    private static boolean isZero(FormatLayer layer, long from, long to) throws BlockException {
        long at = from;
        while (at < to) {
            BlockStatus status = layer.statusOf(at, to - at, 0);
            if (!status.zero()) {
                return false;
            }
            at += status.lengthBytes();
        }
        return true;
    }
}
