package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Runs blocking system calls for virtual threads on platform threads: inside a system call a virtual thread would hold its
 * carrier, and a few slow flushes would stop everything else. Platform threads make their calls themselves.
 */
final class BlockingCalls {
    private static final int MAX_THREADS = 64;
    private static final long IDLE_SECONDS = 5;

    private BlockingCalls() {}

    /** A piece of work that ends with a number. */
    @FunctionalInterface
    interface Call {
        long run() throws BlockException;
    }

    /**
     * Runs the call and returns its result. Waits for the end of the call even when interrupted, since the kernel may have
     * the caller's buffer until then; the interrupt stays pending.
     */
    static long run(Call call) throws BlockException {
        if (!Thread.currentThread().isVirtual()) {
            return call.run();
        }
        CompletableFuture<Long> future = CompletableFuture.supplyAsync(
                () -> {
                    try {
                        return call.run();
                    } catch (BlockException e) {
                        throw new CompletionException(e);
                    }
                },
                Pool.THREADS);
        try {
            return future.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof BlockException failure) {
                throw failure;
            }
            if (e.getCause() instanceof RuntimeException failure) {
                throw failure;
            }
            throw e;
        }
    }

    /** Whether another thread may use a buffer; what is confined to its thread must be used there. */
    static boolean canMove(java.lang.foreign.MemorySegment buffer) {
        return buffer.isAccessibleBy(Pool.STRANGER);
    }

    /** Made when the first virtual thread comes. */
    private static final class Pool {
        static final Thread STRANGER = Thread.ofPlatform().daemon().unstarted(() -> {});
        static final ExecutorService THREADS = open();

        private static ExecutorService open() {
            var threads = new ThreadPoolExecutor(
                    MAX_THREADS,
                    MAX_THREADS,
                    IDLE_SECONDS,
                    TimeUnit.SECONDS,
                    new LinkedBlockingQueue<>(),
                    Thread.ofPlatform().daemon().name("ashlar-file-", 0).factory());
            threads.allowCoreThreadTimeOut(true);
            return threads;
        }
    }
}
