package dev.ashlar.nativeio.codec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** Inflate by the JDK, for hosts without libz. */
final class JdkInflater implements BlockDecompressor {
    private final OneUser user = new OneUser();
    private final Inflater inflater = new Inflater(true);
    private final byte[] out;

    JdkInflater(int blockBytes) {
        out = new byte[blockBytes + 1];
    }

    @Override
    public boolean decompress(MemorySegment source, MemorySegment destination) {
        int blockBytes = (int) destination.byteSize();
        if (blockBytes >= out.length) {
            throw new IllegalArgumentException("destination of " + blockBytes + " bytes");
        }
        user.enter();
        try {
            inflater.setInput(source.toArray(ValueLayout.JAVA_BYTE));
            int done = 0;
            int count;
            do {
                count = inflater.inflate(out, done, blockBytes + 1 - done);
                done += count;
            } while (count > 0 && done <= blockBytes && !inflater.finished());
            if (!inflater.finished() || done != blockBytes) {
                return false;
            }
            MemorySegment.copy(MemorySegment.ofArray(out), 0, destination, 0, blockBytes);
            return true;
        } catch (DataFormatException e) {
            return false;
        } finally {
            inflater.reset();
            user.exit();
        }
    }

    @Override
    public void close() {
        user.enter();
        inflater.end();
    }
}
