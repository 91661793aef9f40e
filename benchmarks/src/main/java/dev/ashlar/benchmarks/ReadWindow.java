package dev.ashlar.benchmarks;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;

/** Keeps a number of random reads of one page in flight, as a guest's busy disk does. */
final class ReadWindow implements AutoCloseable {
    private final SplittableRandom random = new SplittableRandom(1);
    private final Arena arena = Arena.ofShared();
    private final MemorySegment[] pages;
    private final int[] idle;
    private final long blocks;
    private int idleCount;
    private long failures;

    ReadWindow(int depth, long blocks) {
        this.blocks = blocks;
        pages = new MemorySegment[depth];
        idle = new int[depth];
        MemorySegment memory = Scratch.pages(arena, (long) depth * Scratch.PAGE_BYTES);
        for (int i = 0; i < depth; i++) {
            pages[i] = memory.asSlice((long) i * Scratch.PAGE_BYTES, Scratch.PAGE_BYTES);
            idle[i] = i;
        }
        idleCount = depth;
    }

    /** What is kept busy. */
    interface Queue {
        boolean read(long offset, MemorySegment page, long token) throws IOException;

        /** Submits and waits for at least one completion, which goes to {@link #completed}. */
        int awaitOne() throws IOException;
    }

    /** Reads until that many have completed; the window stays full behind them. */
    long run(Queue queue, int reads) throws IOException {
        int completed = 0;
        while (completed < reads) {
            while (idleCount > 0) {
                int slot = idle[--idleCount];
                if (!queue.read(random.nextLong(blocks) * Scratch.PAGE_BYTES, pages[slot], slot)) {
                    throw new IOException("the queue is full before its depth");
                }
            }
            completed += queue.awaitOne();
        }
        if (failures > 0) {
            throw new IOException(failures + " reads failed or were short");
        }
        return completed;
    }

    /** Takes a completion. */
    void completed(long token, int result) {
        failures += result == Scratch.PAGE_BYTES ? 0 : 1;
        idle[idleCount++] = (int) token;
    }

    /** Frees the buffers; nothing may be in flight any more. */
    @Override
    public void close() {
        arena.close();
    }
}
