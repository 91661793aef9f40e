package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import dev.ashlar.nativeio.AlignedBuffers;
import dev.ashlar.nativeio.LinuxFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Zeros a range the slow way, by writing. */
final class ZeroWriter {
    private static final long CHUNK_BYTES = 1 << 20;

    private ZeroWriter() {}

    /**
     * Writes zeros.
     *
     * @param file its direct I/O, if any, must allow the range
     */
    static void write(LinuxFile file, long offset, long lengthBytes) throws BlockException {
        long done = 0;
        while (done < lengthBytes) {
            MemorySegment zeros = Zeros.SEGMENT.asSlice(0, Math.min(CHUNK_BYTES, lengthBytes - done));
            Failures.check("pwrite", file.pwriteFully(zeros, offset + done), file.path());
            done += zeros.byteSize();
        }
    }

    private static final class Zeros {
        static final MemorySegment SEGMENT =
                AlignedBuffers.allocate(Arena.global(), CHUNK_BYTES).asReadOnly();
    }
}
