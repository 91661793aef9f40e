package dev.ashlar.nativeio.codec;

import java.lang.foreign.MemorySegment;
import java.util.zip.Deflater;

/**
 * Deflate by the JDK, for hosts without libz. It can't be told a smaller window, so all is forgotten every 4 KiB: no match reaches further back than
 * readers with a window of 2^12 bytes can look.
 */
final class JdkDeflater implements BlockCompressor {
    private static final int WINDOW_BYTES = 1 << 12;

    private final OneUser user = new OneUser();
    private final Deflater deflater = new Deflater(Deflater.DEFAULT_COMPRESSION, true);
    private final byte[] in;
    private final byte[] out;

    JdkDeflater(int blockBytes) {
        in = new byte[blockBytes];
        out = new byte[blockBytes];
    }

    @Override
    public int compress(MemorySegment source, MemorySegment destination) {
        int sourceBytes = (int) source.byteSize();
        int room = (int) destination.byteSize();
        if (room > out.length) {
            throw new IllegalArgumentException("destination of " + room + " bytes");
        }
        user.enter();
        try {
            MemorySegment.copy(source, 0, MemorySegment.ofArray(in), 0, sourceBytes);
            int used = run(sourceBytes, room);
            MemorySegment.copy(MemorySegment.ofArray(out), 0, destination, 0, Math.max(used, 0));
            return used;
        } finally {
            deflater.reset();
            user.exit();
        }
    }

    private int run(int sourceBytes, int room) {
        int used = 0;
        for (int from = 0; from < sourceBytes; from += WINDOW_BYTES) {
            int count = Math.min(WINDOW_BYTES, sourceBytes - from);
            boolean last = from + count == sourceBytes;
            deflater.setInput(in, from, count);
            if (last) {
                deflater.finish();
            }
            int mode = last ? Deflater.NO_FLUSH : Deflater.FULL_FLUSH;
            int written;
            do {
                if (used == room) {
                    return NO_ROOM;
                }
                written = deflater.deflate(out, used, room - used, mode);
                used += written;
                // a flush is complete when it leaves room
            } while (last ? !deflater.finished() : used == room);
        }
        return used;
    }

    @Override
    public void close() {
        user.enter();
        deflater.end();
    }
}
