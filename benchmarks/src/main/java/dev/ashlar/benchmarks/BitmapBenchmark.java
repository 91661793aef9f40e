package dev.ashlar.benchmarks;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.bitmap.NodeBitmaps;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** What each write of 4 KiB pays for the dirty bitmaps of its node; with none that is one read of a field. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class BitmapBenchmark {
    private static final long DISK_BYTES = 1L << 40;
    private static final int LENGTH_BYTES = 4096;

    /** Bitmaps of 64 KiB per bit that record. */
    @Param({"0", "1", "4"})
    public int count;

    private final NodeBitmaps bitmaps = new NodeBitmaps();
    private long offset;

    /** Makes the bitmaps. */
    @Setup
    public void create() throws BlockException {
        for (int i = 0; i < count; i++) {
            bitmaps.addStored("b" + i, 64 << 10, DISK_BYTES, true, false);
        }
        bitmaps.loaded(false);
    }

    /** One write after another, to the end of 4 GiB and round. */
    @Benchmark
    public long written() {
        offset = (offset + LENGTH_BYTES) & 0xffff_ffffL;
        bitmaps.written(offset, offset + LENGTH_BYTES);
        return offset;
    }
}
