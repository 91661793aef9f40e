package dev.ashlar.fuzz;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import dev.ashlar.core.BlockException;
import dev.ashlar.testkit.SparseBytes;
import java.nio.ByteBuffer;
import java.util.List;

/** Reads fuzzed data as a sound image and some changes to it, so that few bytes reach deep. */
final class Patches {
    private static final List<SparseBytes> SEEDS = seeds();
    private static final int MAX_PATCHES = 12;
    private static final int HEADER_BYTES = 128;

    private Patches() {}

    private static List<SparseBytes> seeds() {
        try {
            return SeedImage.sound();
        } catch (BlockException e) {
            throw new AssertionError("a sound image can't be made", e);
        }
    }

    static SparseBytes apply(FuzzedDataProvider data) {
        SparseBytes image = SEEDS.get(data.consumeInt(0, SEEDS.size() - 1)).fork();
        for (int i = 0; i < MAX_PATCHES && data.remainingBytes() > 0; i++) {
            switch (data.consumeInt(0, 4)) {
                case 0 -> put(image, data.consumeInt(0, HEADER_BYTES), data.consumeBytes(8));
                case 1 -> putWord(image, aligned(data, image), data.consumeLong());
                // words as tables have them: flags above, an offset near
                case 2 ->
                    putWord(
                            image,
                            aligned(data, image),
                            ((long) data.consumeInt(0, 7) << 61) | data.consumeLong(0, 2 * image.lengthBytes()));
                case 3 -> put(image, data.consumeLong(0, image.lengthBytes()), data.consumeBytes(16));
                default -> image.setLengthBytes(data.consumeLong(0, image.lengthBytes()));
            }
        }
        return image;
    }

    private static long aligned(FuzzedDataProvider data, SparseBytes image) {
        return data.consumeLong(0, image.lengthBytes()) & -8;
    }

    private static void putWord(SparseBytes image, long offset, long word) {
        put(image, offset, ByteBuffer.allocate(8).putLong(word).array());
    }

    private static void put(SparseBytes image, long offset, byte[] bytes) {
        image.write(offset, bytes, 0, bytes.length);
    }
}
