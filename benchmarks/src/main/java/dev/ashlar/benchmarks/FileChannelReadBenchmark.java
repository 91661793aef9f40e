package dev.ashlar.benchmarks;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** The baseline for 4 KiB random reads: the JDK's own {@link FileChannel} with direct I/O, one read at a time. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class FileChannelReadBenchmark {
    private static final int BLOCK_BYTES = 4096;

    /** Size of the file that is read. */
    @Param({"4", "1024"})
    public int fileMebibytes;

    private final SplittableRandom random = new SplittableRandom(1);
    private Path file;
    private FileChannel channel;
    private Arena arena;
    private ByteBuffer buffer;
    private long blocks;

    /**
     * Fills the file, so that no read falls into a hole.
     *
     * @throws IOException if the file cannot be written, or not be opened for direct I/O
     */
    @Setup
    public void open() throws IOException {
        file = Files.createTempFile(Path.of("/var/tmp"), "ashlar-benchmark", ".raw");
        blocks = fileMebibytes * 1024L * 1024L / BLOCK_BYTES;
        byte[] chunk = new byte[1 << 20];
        try (var output = Files.newOutputStream(file)) {
            for (int i = 0; i < fileMebibytes; i++) {
                new java.util.Random(i).nextBytes(chunk);
                output.write(chunk);
            }
        }
        channel = FileChannel.open(file, StandardOpenOption.READ, directOption());
        arena = Arena.ofConfined();
        buffer = arena.allocate(BLOCK_BYTES, BLOCK_BYTES).asByteBuffer();
    }

    // By name: javac warns about the class and cannot be told otherwise.
    private static OpenOption directOption() throws IOException {
        try {
            return Stream.of(
                            Class.forName("com.sun.nio.file.ExtendedOpenOption").getEnumConstants())
                    .filter(constant -> constant.toString().equals("DIRECT"))
                    .map(OpenOption.class::cast)
                    .findFirst()
                    .orElseThrow(() -> new IOException("this JDK has no direct I/O"));
        } catch (ClassNotFoundException e) {
            throw new IOException("this JDK has no direct I/O", e);
        }
    }

    /**
     * Removes the file.
     *
     * @throws IOException if that fails
     */
    @TearDown
    public void close() throws IOException {
        channel.close();
        arena.close();
        Files.delete(file);
    }

    /**
     * Reads one block.
     *
     * @return the bytes read
     * @throws IOException if the read fails or is short
     */
    @Benchmark
    public int read() throws IOException {
        buffer.clear();
        int count = channel.read(buffer, random.nextLong(blocks) * BLOCK_BYTES);
        if (count != BLOCK_BYTES) {
            throw new IOException("short read: " + count);
        }
        return count;
    }
}
