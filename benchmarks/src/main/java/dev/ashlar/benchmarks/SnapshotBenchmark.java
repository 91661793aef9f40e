package dev.ashlar.benchmarks;

import dev.ashlar.core.snapshot.CreateReport;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.snapshot.Snapshots;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Snapshots of a disk all of whose clusters are allocated: each count goes up or down. Durable when the operation returns. */
@NeedsQemuImg
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class SnapshotBenchmark {
    /** Size of the disk: 1024, a million, 16.8 million clusters of 64 KiB. */
    @Param({"64", "65536", "1048576"})
    public int diskMebibytes;

    private Disk disk;
    private Snapshots snapshots;
    private SnapshotInfo present;

    /** Makes the image. */
    @Setup
    public void open() throws IOException {
        disk = MappedImages.open((long) diskMebibytes * Scratch.MEBIBYTE);
        snapshots = disk.backend().snapshots();
        present = take();
        snapshots.delete(present);
    }

    /** Removes the image. */
    @TearDown
    public void close() throws IOException {
        disk.close();
    }

    /** Deletes what the create made, not measured. */
    @State(Scope.Thread)
    public static class AfterCreate {
        /** Runs after each create. */
        @TearDown(Level.Invocation)
        public void delete(SnapshotBenchmark benchmark) throws IOException {
            benchmark.snapshots.delete(benchmark.present);
        }
    }

    /** Creates what the delete takes away, not measured. */
    @State(Scope.Thread)
    public static class BeforeDelete {
        /** Runs before each delete. */
        @Setup(Level.Invocation)
        public void create(SnapshotBenchmark benchmark) throws IOException {
            benchmark.present = benchmark.take();
        }
    }

    private SnapshotInfo take() throws IOException {
        return snapshots.create(SnapshotRequest.named("now"));
    }

    /** How long the disk stood still: the sum over all snapshots of a run, and their number. */
    @State(Scope.Thread)
    @AuxCounters(AuxCounters.Type.EVENTS)
    public static class Standstill {
        /** Microseconds, the wait for requests under way included. */
        public long standstillMicros;

        /** Snapshots that were taken. */
        public long snapshotsTaken;
    }

    /** Takes a snapshot. */
    @Benchmark
    public SnapshotInfo create(AfterCreate after, Standstill standstill) throws IOException {
        CreateReport report = snapshots.createReported(SnapshotRequest.named("now"));
        standstill.standstillMicros += report.standstillNanos() / 1000;
        standstill.snapshotsTaken++;
        present = report.snapshot();
        return present;
    }

    /** Deletes a snapshot. */
    @Benchmark
    public void delete(BeforeDelete before) throws IOException {
        snapshots.delete(present);
    }
}
