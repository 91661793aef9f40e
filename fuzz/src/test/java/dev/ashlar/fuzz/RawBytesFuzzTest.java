package dev.ashlar.fuzz;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.ashlar.core.BlockException;
import dev.ashlar.testkit.SparseBytes;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Any bytes at all, from the sound and the hostile images on. */
class RawBytesFuzzTest {
    private static final int MAX_SEED_BYTES = 256 << 10;

    static Stream<Arguments> seeds() throws BlockException {
        return SeedImage.all().stream()
                .filter(image -> image.lengthBytes() <= MAX_SEED_BYTES)
                .map(image -> Arguments.of((Object) image.read(0, (int) image.lengthBytes())));
    }

    @MethodSource("seeds")
    @FuzzTest
    void opensOrRefuses(byte[] bytes) {
        Exercise.read(SparseBytes.of(bytes));
        Exercise.repair(SparseBytes.of(bytes));
    }
}
