package dev.ashlar.nativeio.codec;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/** Inflate by libz, into one byte more than the block has, so that a longer stream shows. */
final class LibZInflater implements BlockDecompressor {
    private static final int RAW_WINDOW_BITS = -15;

    private final OneUser user = new OneUser();
    private final LibZ.Stream stream = LibZ.Inflate.open(RAW_WINDOW_BITS);
    private final MemorySegment in;
    private final MemorySegment out;

    LibZInflater(int blockBytes, int sourceBytes) {
        in = Arena.ofAuto().allocate(sourceBytes);
        out = Arena.ofAuto().allocate(blockBytes + 1L);
    }

    @Override
    public boolean decompress(MemorySegment source, MemorySegment destination) {
        long blockBytes = destination.byteSize();
        if (blockBytes >= out.byteSize()) {
            throw new IllegalArgumentException("destination of " + blockBytes + " bytes");
        }
        user.enter();
        try {
            MemorySegment.copy(source, 0, in, 0, source.byteSize());
            int code = LibZ.Inflate.run(stream, in, source.byteSize(), out, blockBytes + 1);
            if (code != LibZ.STREAM_END || stream.room() != 1) {
                return false;
            }
            MemorySegment.copy(out, 0, destination, 0, blockBytes);
            return true;
        } finally {
            Reference.reachabilityFence(this);
            user.exit();
        }
    }

    @Override
    public void close() {
        user.enter();
        LibZ.Inflate.close(stream);
    }
}
