package dev.ashlar.cli.img;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.CompressedContent;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A piece of a copy, compressed before its turn to be written comes; clusters of zeros are kept apart, they need no space. */
final class CompressedPiece implements AutoCloseable {
    /** @param content null for zeros */
    private record Part(
            long offset, long lengthBytes, @Nullable CompressedContent content) {}

    private final BlockBackend target;
    private final List<Part> parts = new ArrayList<>();

    private CompressedPiece(BlockBackend target) {
        this.target = target;
    }

    /**
     * @param offset in the target, at the start of a cluster
     * @param data not to be changed before it is written
     * @param keepZeros clusters of zeros are written as others
     */
    static CompressedPiece of(BlockBackend target, long offset, MemorySegment data, int clusterBytes, boolean keepZeros)
            throws BlockException {
        CompressedPiece piece = new CompressedPiece(target);
        try {
            long start = 0;
            while (start < data.byteSize()) {
                boolean zero = !keepZeros && isZero(data, start, clusterBytes);
                long end = start + clusterBytes;
                while (end < data.byteSize() && (!keepZeros && isZero(data, end, clusterBytes)) == zero) {
                    end += clusterBytes;
                }
                long length = Math.min(end, data.byteSize()) - start;
                CompressedContent content = zero ? null : target.compress(offset + start, data.asSlice(start, length));
                piece.parts.add(new Part(offset + start, length, content));
                start += length;
            }
        } catch (BlockException | RuntimeException | Error e) {
            piece.close();
            throw e;
        }
        return piece;
    }

    private static boolean isZero(MemorySegment data, long start, int clusterBytes) {
        long end = Math.min(start + clusterBytes, data.byteSize());
        // a segment that equals itself moved by a byte is all of its first byte
        return data.get(ValueLayout.JAVA_BYTE, start) == 0
                && MemorySegment.mismatch(data, start, end - 1, data, start + 1, end) < 0;
    }

    /** @param targetZeroed zeros need not be written */
    void write(boolean targetZeroed) throws BlockException {
        for (Part part : parts) {
            if (part.content != null) {
                target.write(part.content);
            } else if (!targetZeroed) {
                target.writeZeroes(part.offset, part.lengthBytes, true);
            }
        }
    }

    @Override
    public void close() {
        for (Part part : parts) {
            if (part.content != null) {
                part.content.close();
            }
        }
    }
}
