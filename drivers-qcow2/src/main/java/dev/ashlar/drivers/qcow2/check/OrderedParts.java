package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import org.jspecify.annotations.Nullable;

/**
 * Work in parts, by several threads at once, of which the findings come in the order of the parts. A part that fails ends the work; what later parts found is dropped.
 */
final class OrderedParts {
    private static final int MAX_WORKERS = 4;

    private final int parts;
    private final Part part;
    private final Findings into;
    private int next;
    /** The part whose findings are to be passed on next. */
    private int turn;

    private @Nullable Throwable failure;

    /** One part's work. */
    interface Part {
        /** @param findings this part's own */
        void look(int index, Findings findings) throws BlockException;
    }

    private OrderedParts(int parts, Part part, Findings into) {
        this.parts = parts;
        this.part = part;
        this.into = into;
    }

    /** @param workers threads at most, the caller's included */
    static void run(int parts, int workers, Part part, Findings into) throws BlockException {
        new OrderedParts(parts, part, into).run(Math.min(workers, parts));
    }

    /** Threads that are worth their while here. */
    static int workers() {
        return Math.clamp(Runtime.getRuntime().availableProcessors(), 2, MAX_WORKERS);
    }

    private void run(int workers) throws BlockException {
        Thread[] helpers = new Thread[Math.max(workers - 1, 0)];
        for (int i = 0; i < helpers.length; i++) {
            helpers[i] = new Thread(this::work, "check-" + (i + 1));
            helpers[i].setDaemon(true);
            helpers[i].start();
        }
        work();
        boolean interrupted = false;
        for (Thread helper : helpers) {
            while (helper.isAlive()) {
                try {
                    helper.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        rethrow();
    }

    private synchronized void rethrow() throws BlockException {
        switch (failure) {
            case null -> {}
            case BlockException e -> throw e;
            case Error e -> throw e;
            case RuntimeException e -> throw e;
            default -> throw new IllegalStateException(failure);
        }
    }

    private void work() {
        for (int index = take(); index >= 0; index = take()) {
            Findings own = Findings.ofPart();
            Throwable failed = null;
            try {
                part.look(index, own);
            } catch (BlockException | RuntimeException | Error e) {
                failed = e;
            }
            passOn(index, own, failed);
        }
    }

    private synchronized int take() {
        return failure == null && next < parts ? next++ : -1;
    }

    private synchronized void passOn(int index, Findings own, @Nullable Throwable failed) {
        boolean interrupted = false;
        while (turn != index) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (failure == null) {
            into.absorb(own);
            failure = failed;
        }
        turn++;
        notifyAll();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
