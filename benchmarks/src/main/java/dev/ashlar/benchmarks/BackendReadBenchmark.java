package dev.ashlar.benchmarks;

import dev.ashlar.core.BlockBackend;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
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

/** Random reads of 4 KiB through the blocking face, with direct I/O; the baseline is {@link FileChannelReadBenchmark}. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class BackendReadBenchmark {
    /** Format of the image; all of it is allocated. */
    @Param({"raw", "qcow2"})
    public String format = "raw";

    /** Size of the disk. */
    @Param({"4", "1024"})
    public int fileMebibytes;

    private final SplittableRandom random = new SplittableRandom(1);
    private Disk disk;
    private BlockBackend backend;
    private Arena arena;
    private MemorySegment memory;
    private MemorySegment page;
    private long blocks;

    /** Makes the image. */
    @Setup
    public void open() throws IOException {
        disk = Disk.written(format, fileMebibytes);
        backend = disk.backend();
        blocks = (long) fileMebibytes * Scratch.MEBIBYTE / Scratch.PAGE_BYTES;
        arena = Arena.ofShared();
        memory = Scratch.pages(arena, (long) VirtualReaders.THREADS * Scratch.PAGE_BYTES);
        page = memory.asSlice(0, Scratch.PAGE_BYTES);
    }

    /** Removes the image. */
    @TearDown
    public void close() throws IOException {
        disk.close();
        arena.close();
    }

    /** One block after the other, from one thread. */
    @Benchmark
    public MemorySegment read() throws IOException {
        backend.read(random.nextLong(blocks) * Scratch.PAGE_BYTES, page);
        return page;
    }

    /** From many virtual threads at once. */
    @Benchmark
    @OperationsPerInvocation(VirtualReaders.READS)
    public void readFromVirtualThreads() throws IOException {
        VirtualReaders.run(memory, blocks, backend::read);
    }
}
