package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Zeros to write where a driver can't zero by itself. */
final class Zeros {
    private static final long LENGTH_BYTES = 1 << 16;
    private static final MemorySegment ZEROS =
            Arena.ofAuto().allocate(LENGTH_BYTES, BufferPool.ALIGNMENT_BYTES).asReadOnly();

    private Zeros() {}

    /** Up to 64 KiB of zeros. */
    static MemorySegment of(long lengthBytes) {
        return ZEROS.asSlice(0, Math.min(lengthBytes, LENGTH_BYTES));
    }

    /** Whether a buffer holds nothing else. */
    static boolean isZero(MemorySegment buffer) {
        long length = buffer.byteSize();
        for (long at = 0; at < length; at += LENGTH_BYTES) {
            long piece = Math.min(LENGTH_BYTES, length - at);
            if (MemorySegment.mismatch(buffer, at, at + piece, ZEROS, 0, piece) >= 0) {
                return false;
            }
        }
        return true;
    }

    /** Writes zeros as data, whatever the alignment; the request serialises. */
    static void write(Layer layer, long offset, long lengthBytes) throws BlockException {
        long alignment = layer.limits().requestAlignmentBytes();
        long done = 0;
        while (done < lengthBytes) {
            long at = offset + done;
            // Pieces end on a boundary, so that only the first and the last one are padded.
            long most = roundToBoundary(at, alignment) - at;
            MemorySegment piece = of(Math.min(lengthBytes - done, most));
            if (((at | piece.byteSize()) & (alignment - 1)) == 0) {
                layer.writeSerialised(at, piece);
            } else {
                Padding.write(layer, at, piece);
            }
            done += piece.byteSize();
        }
    }

    private static long roundToBoundary(long at, long alignment) {
        long unit = Math.max(LENGTH_BYTES, alignment);
        return Alignment.down(at, unit) + unit;
    }
}
