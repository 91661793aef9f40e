package dev.ashlar.cli.io;

import dev.ashlar.cli.Console;
import dev.ashlar.core.BlockException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.locks.LockSupport;

/**
 * Requests that run while further commands are read. What they have to say is said by the thread of the commands, when it looks
 * after them, in the order in which they ended.
 */
final class AsyncRequests implements AutoCloseable {
    /** One request. */
    interface Request {
        /** Does the I/O; on a thread of its own. */
        void run() throws BlockException;

        /** Tells the result. @param failure what went wrong, or null */
        void report(Console console, @org.jspecify.annotations.Nullable BlockException failure, long nanos);
    }

    private record Ended(
            Request request,
            @org.jspecify.annotations.Nullable BlockException failure,
            long nanos) {}

    /** How long a request may take to come to a standstill before others go on. */
    private static final long SETTLE_NANOS = 50_000_000;

    private static final long LOOK_NANOS = 50_000;

    private final Console console;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final ArrayDeque<Ended> ended = new ArrayDeque<>();
    private final List<Thread> running = new ArrayList<>();
    private int inFlight;

    AsyncRequests(Console console) {
        this.console = console;
    }

    /** Starts a request and lets it come to where it has to wait, so that requests begin in the order in which they are asked for. */
    void start(Request request) {
        synchronized (this) {
            inFlight++;
        }
        threads.execute(() -> perform(request));
        settle();
    }

    /** Gives all requests the time to end or to come to where they have to wait. */
    void settle() {
        long deadline = System.nanoTime() + SETTLE_NANOS;
        while (isMoving() && System.nanoTime() < deadline) {
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }

    private synchronized boolean isMoving() {
        if (inFlight > running.size()) {
            return true;
        }
        for (Thread thread : running) {
            if (thread.getState() == Thread.State.RUNNABLE) {
                return true;
            }
        }
        return false;
    }

    private void perform(Request request) {
        synchronized (this) {
            running.add(Thread.currentThread());
        }
        long start = System.nanoTime();
        BlockException failure = null;
        try {
            request.run();
        } catch (BlockException e) {
            failure = e;
        } catch (RuntimeException e) {
            failure = new BlockException(BlockException.Kind.IO, "internal error: " + e, e);
        }
        long nanos = System.nanoTime() - start;
        synchronized (this) {
            inFlight--;
            running.remove(Thread.currentThread());
            ended.add(new Ended(request, failure, nanos));
            notifyAll();
        }
    }

    /** Reports the requests that have ended. */
    synchronized void poll() {
        for (Ended one = ended.poll(); one != null; one = ended.poll()) {
            one.request.report(console, one.failure, one.nanos);
        }
    }

    /** Waits for all requests and reports them. */
    synchronized void finish() {
        boolean interrupted = false;
        while (inFlight > 0) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        poll();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        finish();
        threads.shutdown();
    }
}
