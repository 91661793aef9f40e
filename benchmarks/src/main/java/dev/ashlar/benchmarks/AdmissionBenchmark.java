package dev.ashlar.benchmarks;

import dev.ashlar.core.request.Origin;
import dev.ashlar.core.request.RequestTracker;
import dev.ashlar.core.request.TrackedRequest;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Threads;

/**
 * Begin and end of a tracked request on one node, without the request. The limit is the least that any tracking would do: one atomic
 * read-modify-write to begin and an ordered store to end, on memory of the thread's own.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class AdmissionBenchmark {
    private static final int LENGTH_BYTES = 4096;

    private final RequestTracker tracker = new RequestTracker();

    /** Where a thread's requests go. */
    @State(Scope.Thread)
    public static class Position {
        private final AtomicLong own = new AtomicLong();
        private long offset;

        private long next() {
            offset = (offset + LENGTH_BYTES) & 0xffff_ffffL;
            return offset;
        }
    }

    private long enterAndExit(Position position) {
        long offset = position.next();
        TrackedRequest request = tracker.enter(offset, offset + LENGTH_BYTES, Origin.BACKEND);
        tracker.exit(request);
        return offset;
    }

    /** An ordinary request, nobody else there. */
    @Benchmark
    public long ordinary(Position position) {
        return enterAndExit(position);
    }

    /** Ordinary requests of two threads on the same node. */
    @Benchmark
    @Threads(2)
    public long ordinaryOfTwoThreads(Position position) {
        return enterAndExit(position);
    }

    /** A serialising request, as unaligned writes are. */
    @Benchmark
    public long serialising(Position position) {
        long offset = position.next();
        TrackedRequest request = tracker.enterSerialising(offset, offset + LENGTH_BYTES, Origin.BACKEND);
        tracker.exit(request);
        return offset;
    }

    /** The limit. */
    @Benchmark
    public long compareAndSet(Position position) {
        long offset = position.next();
        boolean entered = position.own.compareAndSet(0, offset | 1);
        position.own.set(0);
        return entered ? offset : -1;
    }
}
