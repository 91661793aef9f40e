package dev.ashlar.nativeio.codec;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/** Decompresses the first zstd frame of the input. */
final class ZstdDecompressor implements BlockDecompressor {
    private final OneUser user = new OneUser();
    private final MemorySegment context = LibZstd.Decompress.open();
    private final MemorySegment in;
    private final MemorySegment out;

    ZstdDecompressor(int blockBytes, int sourceBytes) {
        in = Arena.ofAuto().allocate(sourceBytes);
        out = Arena.ofAuto().allocate(blockBytes);
    }

    @Override
    public boolean decompress(MemorySegment source, MemorySegment destination) {
        long blockBytes = destination.byteSize();
        if (blockBytes > out.byteSize()) {
            throw new IllegalArgumentException("destination of " + blockBytes + " bytes");
        }
        user.enter();
        try {
            MemorySegment.copy(source, 0, in, 0, source.byteSize());
            long frameBytes = LibZstd.Decompress.frameBytes(in, source.byteSize());
            if (LibZstd.isError(frameBytes)) {
                return false;
            }
            long done = LibZstd.Decompress.run(context, in, frameBytes, out, blockBytes);
            if (done != blockBytes) {
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
        LibZstd.Decompress.close(context);
    }
}
