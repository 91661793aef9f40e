package dev.ashlar.benchmarks;

import dev.ashlar.drivers.qcow2.alloc.RefcountRange;
import dev.ashlar.drivers.qcow2.format.RefcountWidth;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
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

/**
 * Refcounts of 16 bits by the block of 64 KiB: counting whole runs up and down as a snapshot does, and looking for a free cluster. 512
 * blocks are the counts of a terabyte in clusters of 64 KiB. The limit is memory: a copy, or a comparison, of the same bytes.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class RefcountBenchmark {
    private static final int ORDER = 4;
    private static final int BLOCK_BYTES = 65_536;
    private static final int ENTRIES = BLOCK_BYTES / 2;
    private static final int MAXIMUM = 0xffff;

    /** Blocks that are gone through. */
    @Param({"1", "512"})
    public int blockCount;

    private Arena arena;
    private MemorySegment[] blocks;
    private MemorySegment[] others;
    /** Turns round each time, so that no count leaves its range. */
    private int delta = 1;

    /** Sets every count to 1: no cluster is free. */
    @Setup
    public void allocate() {
        arena = Arena.ofShared();
        blocks = new MemorySegment[blockCount];
        others = new MemorySegment[blockCount];
        for (int i = 0; i < blockCount; i++) {
            blocks[i] = arena.allocate(BLOCK_BYTES, 8);
            for (int j = 0; j < ENTRIES; j++) {
                RefcountWidth.set(blocks[i], ORDER, j, 1);
            }
            others[i] = arena.allocate(BLOCK_BYTES, 8);
            others[i].copyFrom(blocks[i]);
        }
    }

    /** Frees the blocks. */
    @TearDown
    public void free() {
        arena.close();
    }

    /** As the driver does it: several counts to a word. */
    @Benchmark
    public int addRun() {
        int result = 0;
        for (MemorySegment block : blocks) {
            result += RefcountRange.add(block, ORDER, 0, ENTRIES, delta, MAXIMUM);
        }
        delta = -delta;
        return result;
    }

    /** As it is done without runs. */
    @Benchmark
    public int addOneByOne() {
        int result = 0;
        for (MemorySegment block : blocks) {
            for (int i = 0; i < ENTRIES; i++) {
                long old = RefcountWidth.get(block, 0, ORDER, i);
                if (delta > 0 ? old == MAXIMUM : old == 0) {
                    return i;
                }
                RefcountWidth.set(block, ORDER, i, old + delta);
            }
            result--;
        }
        delta = -delta;
        return result;
    }

    /** The limit for {@link #addRun}: each byte read and written once, as the kernel of the JDK does it. */
    @Benchmark
    public MemorySegment copy() {
        for (int i = 0; i < blockCount; i++) {
            MemorySegment.copy(blocks[i], 0, others[i], 0, BLOCK_BYTES);
        }
        return others[0];
    }

    /** As the driver does it. Finds nothing. */
    @Benchmark
    public int findFree() {
        int result = 0;
        for (MemorySegment block : blocks) {
            result += RefcountRange.findZero(block, ORDER, 0, ENTRIES);
        }
        return result;
    }

    /** As it is done without runs. */
    @Benchmark
    public int findFreeOneByOne() {
        int result = 0;
        for (MemorySegment block : blocks) {
            for (int i = 0; i < ENTRIES; i++) {
                if (RefcountWidth.get(block, 0, ORDER, i) == 0) {
                    return i;
                }
            }
            result--;
        }
        return result;
    }

    /** The limit for {@link #findFree}: a comparison that finds no difference. It reads twice the bytes. */
    @Benchmark
    public long compare() {
        long result = 0;
        for (int i = 0; i < blockCount; i++) {
            result += blocks[i].mismatch(others[i]);
        }
        return result;
    }
}
