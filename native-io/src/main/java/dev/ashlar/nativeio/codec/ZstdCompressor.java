package dev.ashlar.nativeio.codec;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/** One zstd frame per block. */
final class ZstdCompressor implements BlockCompressor {
    private final OneUser user = new OneUser();
    private final MemorySegment context = LibZstd.Compress.open();
    private final MemorySegment in;
    private final MemorySegment out;

    ZstdCompressor(int blockBytes) {
        in = Arena.ofAuto().allocate(blockBytes);
        out = Arena.ofAuto().allocate(blockBytes);
    }

    @Override
    public int compress(MemorySegment source, MemorySegment destination) {
        if (destination.byteSize() > out.byteSize()) {
            throw new IllegalArgumentException("destination of " + destination.byteSize() + " bytes");
        }
        user.enter();
        try {
            MemorySegment.copy(source, 0, in, 0, source.byteSize());
            long used = LibZstd.Compress.run(context, in, source.byteSize(), out, destination.byteSize());
            if (LibZstd.isError(used)) {
                return NO_ROOM;
            }
            MemorySegment.copy(out, 0, destination, 0, used);
            return (int) used;
        } finally {
            Reference.reachabilityFence(this);
            user.exit();
        }
    }

    @Override
    public void close() {
        user.enter();
        LibZstd.Compress.close(context);
    }
}
