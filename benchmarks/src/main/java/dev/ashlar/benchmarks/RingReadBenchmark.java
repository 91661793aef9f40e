package dev.ashlar.benchmarks;

import dev.ashlar.nativeio.CompletionConsumer;
import dev.ashlar.nativeio.IoEngine;
import dev.ashlar.nativeio.IoEngines;
import dev.ashlar.nativeio.LinuxFile;
import dev.ashlar.nativeio.OpenFlag;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
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

/** Random reads of 4 KiB on the bare ring of native-io: the limit for {@link QueueReadBenchmark}. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class RingReadBenchmark implements ReadWindow.Queue {
    private static final int READS = 1024;

    /** Reads in flight. */
    @Param({"1", "64"})
    public int depth;

    /** Size of the file. */
    @Param({"4", "1024"})
    public int fileMebibytes;

    private Path path;
    private LinuxFile file;
    private IoEngine engine;
    private ReadWindow window;
    private CompletionConsumer consumer;

    /** Fills the file. */
    @Setup
    public void open() throws IOException {
        path = Scratch.file(".raw");
        Scratch.fill(path, fileMebibytes);
        file = LinuxFile.open(path.toString(), OpenFlag.READ_ONLY, OpenFlag.DIRECT);
        engine = IoEngines.open(depth);
        engine.register(file);
        window = new ReadWindow(depth, (long) fileMebibytes * Scratch.MEBIBYTE / Scratch.PAGE_BYTES);
        consumer = window::completed;
    }

    /** Removes the file. */
    @TearDown
    public void close() throws IOException {
        engine.close();
        window.close();
        file.close();
        Files.delete(path);
    }

    @Override
    public boolean read(long offset, MemorySegment page, long token) {
        return engine.prepareRead(file, offset, page, token);
    }

    @Override
    public int awaitOne() throws IOException {
        return engine.await(1, consumer);
    }

    /** Keeps the window full. */
    @Benchmark
    @OperationsPerInvocation(READS)
    public long read() throws IOException {
        return window.run(this, READS);
    }
}
