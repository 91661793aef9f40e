package dev.ashlar.nativeio.syscall;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Pool of the small memory cells into which the linker stores {@code errno} right after a call.
 *
 * <p>A cell belongs to exactly one call from {@link #take} to {@link #give}, so it does not matter
 * on which carrier a virtual thread reads it, nor how many threads call at once. Threads are spread
 * over the slots by their id; a thread that finds its slot empty makes a cell, one that finds it
 * full again drops its own to the garbage collector.
 */
final class ErrnoCells {
    private static final StructLayout LAYOUT = Linker.Option.captureStateLayout();
    private static final int SLOTS = 64;

    /** Slots lie this many references apart, so that two threads don't share a cache line. */
    private static final int SPREAD_SHIFT = 4;

    private static final AtomicReferenceArray<@Nullable MemorySegment> POOL =
            new AtomicReferenceArray<>(SLOTS << SPREAD_SHIFT);

    private ErrnoCells() {}

    static MemorySegment take() {
        MemorySegment cell = POOL.getAndSet(slotOfCurrentThread(), null);
        return cell != null ? cell : Arena.ofAuto().allocate(LAYOUT);
    }

    static void give(MemorySegment cell) {
        POOL.setRelease(slotOfCurrentThread(), cell);
    }

    private static int slotOfCurrentThread() {
        return ((int) Thread.currentThread().threadId() & (SLOTS - 1)) << SPREAD_SHIFT;
    }
}
