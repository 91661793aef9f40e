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

    /** As {@link #words}, but in the order of the disk: for those who compare many and look at few. */
    void rawWords(long hostOffset, long[] words) throws BlockException {
        MemorySegment.copy(
                bytes(hostOffset, 8L * words.length), ValueLayout.JAVA_LONG_UNALIGNED, 0, words, 0, words.length);
    }

    /** Whether words in the order of the disk count up by {@code step} from the first one on. Without a branch in the loop, so that it becomes vector code. */
    static boolean isOneRun(long[] rawWords, long step) {
        long first = fromDisk(rawWords[0]);
        long difference = 0;
        for (int i = 0; i < rawWords.length; i++) {
            difference |= fromDisk(rawWords[i]) ^ (first + i * step);
        }
        return difference == 0;
    }

    /** Puts words in the order of the disk into that of the processor. */
    static void fromDisk(long[] words) {
        for (int i = 0; i < words.length; i++) {
            words[i] = fromDisk(words[i]);
        }
    }

    static long fromDisk(long word) {
        return ByteOrder.nativeOrder() == ByteOrder.BIG_ENDIAN ? word : Long.reverseBytes(word);
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
