package dev.ashlar.benchmarks;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Random reads of one page by many virtual threads at once, each with a buffer of its own. */
final class VirtualReaders {
    static final int THREADS = 64;
    static final int READS_PER_THREAD = 64;
    /** Reads of one {@link #run}. */
    static final int READS = THREADS * READS_PER_THREAD;

    private VirtualReaders() {}

    /** One read. */
    @FunctionalInterface
    interface Read {
        void page(long offset, MemorySegment buffer) throws IOException;
    }

    /** Starts the threads and waits for the last; the start of a thread counts as part of its reads. */
    static void run(MemorySegment memory, long blocks, Read read) throws IOException {
        Future<?>[] readers = new Future<?>[THREADS];
        try (var executor = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < THREADS; i++) {
                int number = i;
                readers[i] = executor.submit(() -> {
                    var random = new SplittableRandom(number);
                    MemorySegment buffer = memory.asSlice((long) number * Scratch.PAGE_BYTES, Scratch.PAGE_BYTES);
                    for (int j = 0; j < READS_PER_THREAD; j++) {
                        read.page(random.nextLong(blocks) * Scratch.PAGE_BYTES, buffer);
                    }
                    return null;
                });
            }
        }
        for (Future<?> reader : readers) {
            try {
                reader.get();
            } catch (ExecutionException e) {
                throw new IOException("a reader failed", e.getCause());
            } catch (InterruptedException e) {
                throw new IOException("interrupted", e);
            }
        }
    }
}
