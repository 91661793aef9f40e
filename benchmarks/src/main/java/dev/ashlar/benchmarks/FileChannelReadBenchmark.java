package dev.ashlar.benchmarks;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** The baseline for random reads of 4 KiB: the JDK's own {@link FileChannel} with direct I/O. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class FileChannelReadBenchmark {
    /** Size of the file that is read. */
    @Param({"4", "1024"})
    public int fileMebibytes;

    private final SplittableRandom random = new SplittableRandom(1);
    private Path file;
    private FileChannel channel;
    private Arena arena;
    private MemorySegment memory;
    private ByteBuffer buffer;
    private long blocks;

    /**
     * Fills the file, so that no read falls into a hole.
     *
     * @throws IOException if the file cannot be written, or not be opened for direct I/O
     */
    @Setup
    public void open() throws IOException {
        file = Scratch.file(".raw");
        blocks = (long) fileMebibytes * Scratch.MEBIBYTE / Scratch.PAGE_BYTES;
        Scratch.fill(file, fileMebibytes);
        channel = DirectChannels.open(file);
        arena = Arena.ofShared();
        memory = Scratch.pages(arena, (long) VirtualReaders.THREADS * Scratch.PAGE_BYTES);
        buffer = memory.asSlice(0, Scratch.PAGE_BYTES).asByteBuffer();
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
        return read(buffer, random.nextLong(blocks) * Scratch.PAGE_BYTES);
    }

    /** Reads from many virtual threads at once. */
    @Benchmark
    @OperationsPerInvocation(VirtualReaders.READS)
    public void readFromVirtualThreads() throws IOException {
        VirtualReaders.run(memory, blocks, (offset, part) -> read(part.asByteBuffer(), offset));
    }

    private int read(ByteBuffer target, long offset) throws IOException {
        target.clear();
        int count = channel.read(target, offset);
        if (count != Scratch.PAGE_BYTES) {
            throw new IOException("short read: " + count);
        }
        return count;
    }
}
