package dev.ashlar.core;

import dev.ashlar.core.request.SteppedThread;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Runs bodies on threads of their own, one at a time, and chooses at each step who goes on: the same seed, the same run. A step ends
 * where a thread waits, takes a lock of the control plane, or says so. When nobody can go on, that is a deadlock and reported as one.
 */
final class StepRunner {
    private static final int MOST_STEPS = 400_000;

    /** What an actor does. */
    interface Body {
        void run() throws Exception;
    }

    /** Looks at the whole between two steps. */
    interface Check {
        void afterStep() throws Exception;
    }

    private enum Phase {
        READY,
        RUNNING,
        PAUSED,
        /** Paused, but not for ever. */
        TIMED,
        DONE
    }

    private final Random random;
    private final List<Actor> actors = new ArrayList<>();
    private final Semaphore back = new Semaphore(0);
    private int steps;

    StepRunner(long seed) {
        random = new Random(seed);
    }

    void add(String name, Body body) {
        actors.add(new Actor(name, body));
    }

    int steps() {
        return steps;
    }

    /** Runs all to their ends. */
    void run(Check check) throws Exception {
        for (Actor actor : actors) {
            actor.start();
        }
        while (true) {
            Actor next = choose();
            if (next == null) {
                break;
            }
            if (++steps > MOST_STEPS) {
                throw new AssertionError("no end after " + steps + " steps" + where());
            }
            if (random.nextInt(200) == 0) {
                next.interrupt();
            }
            next.state = Phase.RUNNING;
            next.go.release();
            if (!back.tryAcquire(20, TimeUnit.SECONDS)) {
                throw new AssertionError(next.getName() + " waits where nobody can lead it" + where());
            }
            if (next.failure != null) {
                throw new AssertionError("step " + steps + ", " + next.getName(), next.failure);
            }
            check.afterStep();
        }
    }

    /** Null when all are done. Time passes rarely while others can go on. */
    private Actor choose() {
        List<Actor> ready = new ArrayList<>();
        List<Actor> timed = new ArrayList<>();
        boolean done = true;
        for (Actor actor : actors) {
            done &= actor.state == Phase.DONE;
            if (actor.state == Phase.READY) {
                ready.add(actor);
            } else if (actor.state == Phase.TIMED) {
                timed.add(actor);
            }
        }
        if (done) {
            return null;
        }
        if (ready.isEmpty() || (!timed.isEmpty() && random.nextInt(10) == 0)) {
            ready = timed;
        }
        if (ready.isEmpty()) {
            throw new AssertionError("deadlock after " + steps + " steps (D6)" + where());
        }
        return ready.get(random.nextInt(ready.size()));
    }

    private String where() {
        StringBuilder text = new StringBuilder();
        for (Actor actor : actors) {
            text.append("\n").append(actor.getName()).append(' ').append(actor.state);
            for (StackTraceElement frame : actor.getStackTrace()) {
                if (frame.getClassName().startsWith("dev.ashlar")) {
                    text.append("\n    ").append(frame);
                }
            }
        }
        return text.toString();
    }

    private final class Actor extends Thread implements SteppedThread {
        private final Body body;
        private final Semaphore go = new Semaphore(0);
        private volatile Phase state = Phase.READY;
        private volatile boolean permit;
        private volatile Throwable failure;

        Actor(String name, Body body) {
            super(name);
            this.body = body;
            setDaemon(true);
        }

        @Override
        public void run() {
            go.acquireUninterruptibly();
            try {
                body.run();
            } catch (Throwable e) {
                failure = e;
            }
            state = Phase.DONE;
            back.release();
        }

        @Override
        public void step() {
            giveBack(Phase.READY);
        }

        @Override
        public void pause(boolean timed) {
            if (!permit && !isInterrupted()) {
                giveBack(timed ? Phase.TIMED : Phase.PAUSED);
            }
            permit = false;
        }

        private void giveBack(Phase now) {
            if (Thread.currentThread() != this || state != Phase.RUNNING) {
                throw new AssertionError("not led: " + this);
            }
            state = now;
            back.release();
            boolean interrupted = false;
            while (true) {
                try {
                    go.acquire();
                    break;
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                super.interrupt();
            }
        }

        @Override
        public void wake() {
            permit = true;
            if (state == Phase.PAUSED || state == Phase.TIMED) {
                state = Phase.READY;
            }
        }

        @Override
        public void interrupt() {
            super.interrupt();
            wake();
        }
    }
}
