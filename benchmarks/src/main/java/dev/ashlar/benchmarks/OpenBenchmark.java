package dev.ashlar.benchmarks;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.SnapshotRequest;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Opening a disk of 1 TiB with snapshots that were taken of it, each of which holds something of its own. The GC profiler tells what is allocated. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class OpenBenchmark {
    private static final long DISK_BYTES = 1L << 40;

    /** Snapshots that were taken. */
    @Param({"10", "1000"})
    public int snapshotCount;

    private Path path;
    private BlockGraph graph;

    /** Creates the image and takes the snapshots. */
    @Setup
    public void create() throws IOException {
        path = Scratch.file(".qcow2");
        graph = BlockGraph.create();
        graph.createImage(path.toString(), "qcow2", Map.of("size", Long.toString(DISK_BYTES)));
        MemorySegment bytes = MemorySegment.ofArray(new byte[4096]);
        try (BlockBackend disk =
                graph.open(path.toString(), OpenOptions.readWrite().format("qcow2"))) {
            for (int i = 0; i < snapshotCount; i++) {
                bytes.fill((byte) (i | 1));
                disk.write(i * 65_536L, bytes);
                disk.snapshots().create(SnapshotRequest.named("night" + i));
            }
        }
    }

    /** Removes the image. */
    @TearDown
    public void close() throws IOException {
        graph.close();
        Files.delete(path);
    }

    /** Opens the image for reading, lists its snapshots and closes it. */
    @Benchmark
    public int openForReading() throws IOException {
        return open(OpenOptions.readOnly());
    }

    /** As {@link #openForReading}, for writing. */
    @Benchmark
    public int openForWriting() throws IOException {
        return open(OpenOptions.readWrite());
    }

    private int open(OpenOptions options) throws IOException {
        try (BlockBackend opened = graph.open(path.toString(), options.format("qcow2"))) {
            int count = opened.snapshots().list().size();
            if (count != snapshotCount) {
                throw new IOException("listed " + count);
            }
            return count;
        }
    }
}
