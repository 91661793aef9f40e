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
        out = Arena.ofAuto().allocate(LibZstd.Compress.bound(blockBytes));
    }

    @Override
    public int compress(MemorySegment source, MemorySegment destination) {
        user.enter();
        try {
            MemorySegment.copy(source, 0, in, 0, source.byteSize());
            // with less room than this the library gives up on frames that would just have fitted
            long used = LibZstd.Compress.run(context, in, source.byteSize(), out, out.byteSize());
            if (LibZstd.isError(used) || used > destination.byteSize()) {
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
