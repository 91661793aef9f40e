package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.nativeio.AlignedBuffers;
import dev.ashlar.nativeio.BlockDevice;
import dev.ashlar.nativeio.Errno;
import dev.ashlar.nativeio.ErrnoException;
import dev.ashlar.nativeio.FileStatus;
import dev.ashlar.nativeio.LinuxFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What direct I/O on a file must be aligned to.
 *
 * @param requestBytes for offsets and lengths
 * @param memoryBytes for addresses
 */
record DirectAlignment(int requestBytes, int memoryBytes) {
    /** Nothing has to be aligned. */
    static final DirectAlignment NONE = new DirectAlignment(1, 1);

    private static final int SMALLEST_BYTES = 512;
    private static final int LARGEST_BYTES = 4096;

    /**
     * Finds out by asking the kernel, or where that does not tell, by reading at ever coarser alignment until it works.
     *
     * @param file open for direct I/O and reading
     */
    static DirectAlignment of(LinuxFile file, FileStatus status) throws BlockException {
        try {
            int sector = status.isBlockDevice() ? BlockDevice.of(file).logicalSectorBytes() : 0;
            int told = status.directOffsetAlignmentBytes();
            int memory = status.directMemoryAlignmentBytes();
            if (told > 0 && memory > 0) {
                return new DirectAlignment(Math.max(told, sector), memory);
            }
            if (told == 0 && sector == 0) {
                throw new BlockException(
                        Kind.INVALID, "Could not open '" + file.path() + "': filesystem does not support O_DIRECT");
            }
            return sector > 0
                    ? new DirectAlignment(sector, sector)
                    : probe(file, BlockDevice.logicalSectorBytesOf(status.device()));
        } catch (ErrnoException e) {
            throw Failures.of(e);
        }
    }

    /**
     * Tries sizes from that of the disk's sector on, where it is known: reading a hole succeeds at any alignment.
     */
    private static DirectAlignment probe(LinuxFile file, int sectorBytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = AlignedBuffers.allocate(arena, 2L * LARGEST_BYTES);
            for (int bytes = Math.max(SMALLEST_BYTES, sectorBytes); bytes <= LARGEST_BYTES; bytes *= 2) {
                // Offset, length and address are aligned to this size and to no larger one.
                long result = file.pread(buffer.asSlice(bytes, bytes), bytes);
                if (result >= 0) {
                    return new DirectAlignment(bytes, bytes);
                }
                if (result != -Errno.EINVAL) {
                    // An unreadable sector says nothing about alignment: take what fits every device.
                    break;
                }
            }
        }
        return new DirectAlignment(LARGEST_BYTES, LARGEST_BYTES);
    }
}
