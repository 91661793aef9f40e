package dev.ashlar.benchmarks;

import dev.ashlar.core.spi.FormatInstance;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
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
import org.openjdk.jmh.annotations.Threads;

/**
 * From a guest offset to a host offset on the hit path of qcow2, clusters of 64 KiB, random offsets. The limit is one load from a flat
 * array with a word per cluster at the same random places: what the caches of the processor allow.
 */
@NeedsQemuImg
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class L2LookupBenchmark {
    private static final int CLUSTER_BYTES = 65_536;
    private static final long TABLE_COVERS_BYTES = 512L << 20;

    /** Where the tables are: as on disk, seen through the mapping, or changed since and in memory. */
    @Param({"MAPPED", "DIRTY"})
    public Tables tables = Tables.MAPPED;

    /** Size of the disk, every cluster of which is allocated: 8 KiB of L2 entries, 2 MiB, 128 MiB. */
    @Param({"64", "16384", "1048576"})
    public int diskMebibytes;

    private Disk disk;
    private FormatInstance format;
    private long clusters;
    private Arena arena;
    private MemorySegment flat;

    /** State of the L2 tables. */
    public enum Tables {
        MAPPED,
        DIRTY
    }

    /** Makes the image and brings all its tables into the page cache. */
    @Setup
    public void open() throws IOException {
        long diskBytes = (long) diskMebibytes * Scratch.MEBIBYTE;
        clusters = diskBytes / CLUSTER_BYTES;
        disk = MappedImages.open(diskBytes);
        format = disk.backend().root().capability(FormatInstance.class).orElseThrow();
        if (tables == Tables.DIRTY) {
            // The first cluster of each table goes away, without a flush: the table is in memory now.
            for (long offset = 0; offset < diskBytes; offset += TABLE_COVERS_BYTES) {
                disk.backend().discard(offset, CLUSTER_BYTES);
            }
        }
        arena = Arena.ofShared();
        flat = arena.allocate(clusters * 8, 8);
        for (long i = 0; i < clusters; i++) {
            long host = format.mapDirect(i * CLUSTER_BYTES, Scratch.PAGE_BYTES);
            if (host < 0 && !(tables == Tables.DIRTY && i * CLUSTER_BYTES % TABLE_COVERS_BYTES == 0)) {
                throw new IOException("cluster " + i + " is not on the hit path");
            }
            flat.setAtIndex(ValueLayout.JAVA_LONG, i, host);
        }
    }

    /** Removes the image. */
    @TearDown
    public void close() throws IOException {
        arena.close();
        disk.close();
    }

    /** Offsets of one thread. */
    @State(Scope.Thread)
    public static class Offsets {
        private final SplittableRandom random =
                new SplittableRandom(Thread.currentThread().threadId());
    }

    private long lookUp(Offsets offsets) {
        return format.mapDirect(offsets.random.nextLong(clusters) * CLUSTER_BYTES, Scratch.PAGE_BYTES);
    }

    /** One look-up. */
    @Benchmark
    public long mapDirect(Offsets offsets) {
        return lookUp(offsets);
    }

    /** Look-ups of two threads. */
    @Benchmark
    @Threads(2)
    public long mapDirectOfTwoThreads(Offsets offsets) {
        return lookUp(offsets);
    }

    /** The limit. */
    @Benchmark
    public long flatArray(Offsets offsets) {
        return flat.getAtIndex(ValueLayout.JAVA_LONG, offsets.random.nextLong(clusters));
    }
}
