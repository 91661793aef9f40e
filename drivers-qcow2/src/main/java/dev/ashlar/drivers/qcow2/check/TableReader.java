package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Tables as they are on disk, wherever they claim to be: what lies behind the end of the file reads as zeros, since a check has to go on there. Any thread.
 */
final class TableReader {
    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private final ImageFile file;

    TableReader(ImageFile file) {
        this.file = file;
    }

    /** Fills {@code words} from the file, in the order of the processor. */
    void words(long hostOffset, long[] words) throws BlockException {
        MemorySegment bytes = bytes(hostOffset, 8L * words.length);
        MemorySegment.copy(bytes, WORD, 0, words, 0, words.length);
    }

    /** A look at table bytes, valid until the next write. @param lengthBytes bounded by the caller */
    MemorySegment bytes(long hostOffset, long lengthBytes) throws BlockException {
        long there = hostOffset < 0 ? 0 : Math.clamp(file.lengthBytes() - hostOffset, 0, lengthBytes);
        if (there == lengthBytes && lengthBytes > 0) {
            return file.store().view(hostOffset, lengthBytes);
        }
        MemorySegment padded = MemorySegment.ofArray(new byte[Math.toIntExact(lengthBytes)]);
        if (there > 0) {
            file.store().read(hostOffset, padded.asSlice(0, there));
        }
        return padded;
    }
}
