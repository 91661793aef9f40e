package dev.ashlar.benchmarks;

import dev.ashlar.core.BlockQueue;
import dev.ashlar.core.spi.IoQueue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
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

/** Random reads of 4 KiB through a {@link BlockQueue} with direct I/O; the limit is {@link RingReadBenchmark}. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class QueueReadBenchmark implements ReadWindow.Queue {
    private static final int READS = 1024;

    /** Format of the image; all of it is allocated. */
    @Param({"raw", "qcow2"})
    public String format = "raw";

    /** Reads in flight. */
    @Param({"1", "64"})
    public int depth;

    /** Size of the disk. */
    @Param({"4", "1024"})
    public int fileMebibytes;

    private Disk disk;
    private BlockQueue queue;
    private ReadWindow window;
    private IoQueue.CompletionSink sink;

    /** Makes the image. */
    @Setup
    public void open() throws IOException {
        disk = Disk.written(format, fileMebibytes);
        queue = disk.backend().openQueue(depth);
        window = new ReadWindow(depth, (long) fileMebibytes * Scratch.MEBIBYTE / Scratch.PAGE_BYTES);
        sink = window::completed;
    }

    /** Removes the image. */
    @TearDown
    public void close() throws IOException {
        queue.close();
        window.close();
        disk.close();
    }

    @Override
    public boolean read(long offset, MemorySegment page, long token) throws IOException {
        return queue.read(offset, page, token);
    }

    @Override
    public int awaitOne() throws IOException {
        return queue.await(1, sink);
    }

    /** Keeps the window full. */
    @Benchmark
    @OperationsPerInvocation(READS)
    public long read() throws IOException {
        return window.run(this, READS);
    }
}
