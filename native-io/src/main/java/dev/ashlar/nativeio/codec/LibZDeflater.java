package dev.ashlar.nativeio.codec;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/** Deflate by libz. Blocks are copied in and out: the library keeps addresses, which would not keep a caller's memory alive. */
final class LibZDeflater implements BlockCompressor {
    private static final int RAW_WINDOW_BITS = -12;
    private static final int MEMORY_LEVEL = 9;

    private final OneUser user = new OneUser();
    private final LibZ.Stream stream = LibZ.Deflate.open(RAW_WINDOW_BITS, MEMORY_LEVEL);
    private final MemorySegment in;
    private final MemorySegment out;

    LibZDeflater(int blockBytes) {
        in = Arena.ofAuto().allocate(blockBytes);
        out = Arena.ofAuto().allocate(blockBytes);
    }

    @Override
    public int compress(MemorySegment source, MemorySegment destination) {
        long sourceBytes = source.byteSize();
        long room = destination.byteSize();
        if (room > out.byteSize()) {
            throw new IllegalArgumentException("destination of " + room + " bytes");
        }
        user.enter();
        try {
            MemorySegment.copy(source, 0, in, 0, sourceBytes);
            int code = LibZ.Deflate.run(stream, in, sourceBytes, out, room);
            if (code != LibZ.STREAM_END) {
                return NO_ROOM;
            }
            // the reset has not touched what is left of the room
            int used = (int) room - stream.room();
            MemorySegment.copy(out, 0, destination, 0, used);
            return used;
        } finally {
            Reference.reachabilityFence(this);
            user.exit();
        }
    }

    @Override
    public void close() {
        user.enter();
        LibZ.Deflate.close(stream);
    }
}
