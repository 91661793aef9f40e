package dev.ashlar.cli.img;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Splits a buffer into runs to write and runs of zeros to leave out. Zeros within data are left out only where at least
 * {@code sparseBytes} of them follow each other, and runs end at multiples of {@code sparseBytes} of the target where that is
 * possible, so that no write needs a read before it.
 */
final class SparseScan {
    private static final int SECTOR = 512;
    private static final MemorySegment ZEROS = Arena.global().allocate(SECTOR, 16);

    private final MemorySegment data;
    private final int sectors;
    private final long firstSector;
    private final int minimumSectors;
    private final int alignmentSectors;
    private int startSector;
    private int endSector;
    private boolean isData;

    /** @param offset where on the target the buffer belongs; it and the buffer's length are multiples of 512 */
    SparseScan(MemorySegment data, long offset, int sparseBytes) {
        this.data = data;
        sectors = Math.toIntExact(data.byteSize() / SECTOR);
        firstSector = offset / SECTOR;
        minimumSectors = sparseBytes / SECTOR;
        alignmentSectors = Math.max(1, Integer.highestOneBit(minimumSectors));
    }

    /** Moves to the next run; false at the end. */
    boolean next() {
        startSector = endSector;
        if (startSector >= sectors) {
            return false;
        }
        isData = step(startSector);
        if (isData) {
            extend();
        }
        return true;
    }

    long start() {
        return (long) startSector * SECTOR;
    }

    long lengthBytes() {
        return (long) (endSector - startSector) * SECTOR;
    }

    boolean isData() {
        return isData;
    }

    /** Takes in short runs of zeros and the data behind them. */
    private void extend() {
        int minimum = Math.min(minimumSectors, sectors - startSector);
        int used = endSector;
        while (endSector < sectors) {
            int from = endSector;
            if (step(from)) {
                used = endSector;
            } else if (endSector - from >= minimum) {
                break;
            }
        }
        endSector = used;
    }

    /** Finds one run of sectors alike and sets its end; true for data. */
    private boolean step(int from) {
        boolean zero = isZero(from);
        int at = from + 1;
        while (at < sectors && isZero(at) == zero) {
            at++;
        }
        endSector = at;
        if (at == sectors) {
            return !zero;
        }
        int tail = (int) ((firstSector + at) & (alignmentSectors - 1));
        if (tail != 0) {
            if (zero && at - from <= tail) {
                // Data follows in the same unit: one write for both.
                zero = false;
            }
            endSector = zero ? at - tail : Math.min(at + alignmentSectors - tail, sectors);
        }
        return !zero;
    }

    private boolean isZero(int sector) {
        long start = (long) sector * SECTOR;
        return MemorySegment.mismatch(data, start, start + SECTOR, ZEROS, 0, SECTOR) < 0;
    }
}
