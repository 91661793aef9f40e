package dev.ashlar.core;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/**
 * The actors of {@link GraphStepsTest} on real threads, platform and virtual: several change the graph at once. A watchdog tells where
 * everybody is when they do not come to an end (D6). Prints its seed; longer with {@code -Dashlar.threads.rounds=200}, again with
 * {@code -Dashlar.threads.seed=N} (which repeats the choices, not the timing).
 */
class GraphThreadsTest {
    private static final int ROUNDS = Integer.getInteger("ashlar.threads.rounds", 4);
    private static final long SEED = Long.getLong("ashlar.threads.seed", System.nanoTime() & 0xFFFFFF);
    private static final long PATIENCE_SECONDS = 60;

    @Test
    void severalThreadsChangeTheGraph() throws Exception {
        System.out.println("GraphThreadsTest: " + ROUNDS + " rounds from seed " + SEED);
        int changes = 0;
        for (int round = 0; round < ROUNDS; round++) {
            changes += round(SEED + round);
        }
        assertTrue(changes > ROUNDS, changes + " changes");
    }

    private static int round(long seed) throws Exception {
        GraphActors actors = new GraphActors(false);
        AtomicReference<Throwable> failure = new AtomicReference<>();
        List<Thread> threads = new ArrayList<>();
        List<StepRunner.Body> bodies = new ArrayList<>();
        for (int w = 0; w < GraphActors.WRITERS; w++) {
            int me = w;
            Random random = new Random(seed + 31L * w);
            bodies.add(() -> actors.readAndWrite(me, random, 200));
        }
        for (int d = 0; d < 2; d++) {
            Random random = new Random(seed + 1000 + d);
            bodies.add(() -> actors.drain(random, 40));
            Random other = new Random(seed + 2000 + d);
            bodies.add(() -> actors.change(other, 60));
        }
        CyclicBarrier together = new CyclicBarrier(bodies.size());
        for (StepRunner.Body body : bodies) {
            Thread.Builder builder =
                    threads.size() % 2 == 0 ? Thread.ofPlatform().daemon() : Thread.ofVirtual();
            threads.add(builder.name("actor" + threads.size()).start(() -> {
                try {
                    together.await();
                    body.run();
                } catch (Throwable e) {
                    failure.compareAndSet(null, e);
                }
            }));
        }
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        for (Thread thread : threads) {
            thread.join(Math.max(1, (end - System.nanoTime()) / 1_000_000));
        }
        if (failure.get() != null) {
            throw new AssertionError("-Dashlar.threads.seed=" + seed, failure.get());
        }
        assertTrue(threads.stream().noneMatch(Thread::isAlive), () -> "D6: stuck, seed " + seed + where(threads));
        actors.finish();
        return actors.changes.get();
    }

    private static String where(List<Thread> threads) {
        StringBuilder text = new StringBuilder();
        for (Thread thread : threads) {
            text.append('\n').append(thread);
            for (StackTraceElement frame : thread.getStackTrace()) {
                text.append("\n    ").append(frame);
            }
        }
        return text.toString();
    }
}
