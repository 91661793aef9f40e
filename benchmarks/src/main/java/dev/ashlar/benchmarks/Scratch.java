package dev.ashlar.benchmarks;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;

/** Files for benchmarks, in a folder whose file system takes direct I/O: the property {@code ashlar.test.dir}, else {@code /var/tmp}. */
final class Scratch {
    static final int MEBIBYTE = 1 << 20;
    static final int PAGE_BYTES = 4096;

    private Scratch() {}

    /** A new empty file; the caller deletes it. */
    static Path file(String suffix) throws IOException {
        Path folder = Path.of(System.getProperty("ashlar.test.dir", "/var/tmp"));
        return Files.createTempFile(folder, "ashlar-benchmark", suffix);
    }

    /** Bytes without holes and without repetition. */
    static byte[] content(int seed) {
        byte[] bytes = new byte[MEBIBYTE];
        new SplittableRandom(seed).nextBytes(bytes);
        return bytes;
    }

    /** Fills a file without leaving holes. */
    static void fill(Path file, int mebibytes) throws IOException {
        try (OutputStream output = Files.newOutputStream(file)) {
            for (int i = 0; i < mebibytes; i++) {
                output.write(content(i));
            }
        }
    }

    /** Memory as direct I/O wants it. */
    static MemorySegment pages(Arena arena, long lengthBytes) {
        return arena.allocate(lengthBytes, PAGE_BYTES);
    }
}
