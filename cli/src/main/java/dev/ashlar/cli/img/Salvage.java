package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockStatus;
import java.lang.foreign.MemorySegment;

/**
 * Reads what can be read ({@code convert --salvage}): where an image fails it is asked again for less, down to a sector, and a sector
 * that cannot be read becomes zeros, with a warning. Any thread.
 */
final class Salvage {
    private static final int SECTOR = 512;

    /** What a status that fails is asked again for: so much less. */
    private static final int SHORTER = 4;

    private final Console console;
    private final boolean quiet;

    /** @param quiet without warnings */
    Salvage(Console console, boolean quiet) {
        this.console = console;
        this.quiet = quiet;
    }

    /** A status; a sector without one is taken for data, which reading will show. */
    BlockStatus status(BlockBackend image, long offset, long lengthBytes, boolean ownLayerOnly) {
        long asked = lengthBytes;
        while (true) {
            try {
                return ownLayerOnly ? image.allocatedHere(offset, asked) : image.status(offset, asked);
            } catch (BlockException e) {
                if (asked <= SECTOR) {
                    warn("error while reading block status at offset " + offset + ": " + e.reason());
                    return new BlockStatus(true, false, true, false, 0, -1, null, asked);
                }
                asked = Math.min(asked, (sectors(asked) + SHORTER - 1) / SHORTER * SECTOR);
            }
        }
    }

    void read(BlockBackend image, long offset, MemorySegment destination) {
        try {
            image.read(offset, destination);
        } catch (BlockException e) {
            readSectors(image, offset, destination);
        }
    }

    private void readSectors(BlockBackend image, long offset, MemorySegment destination) {
        for (long done = 0; done < destination.byteSize(); done += SECTOR) {
            MemorySegment sector = destination.asSlice(done, Math.min(SECTOR, destination.byteSize() - done));
            try {
                image.read(offset + done, sector);
            } catch (BlockException e) {
                warn("error while reading offset " + (offset + done) + ": " + e.reason());
                sector.fill((byte) 0);
            }
        }
    }

    private void warn(String message) {
        if (!quiet) {
            console.warn(message);
        }
    }

    private static long sectors(long bytes) {
        return (bytes + SECTOR - 1) / SECTOR;
    }
}
