package dev.ashlar.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * D1–D9, G1, G4, G5, F1, F2 after every step of a deterministic run: actors that use, drain and change one graph, led step by step by
 * {@link StepRunner}. A failure names its seed; {@code -Dashlar.steps.seed=N} runs that one alone, with
 * {@code -Dashlar.steps.trace=true} it tells what it does. {@code -Dashlar.steps.runs=5000} runs
 * longer, from {@code -Dashlar.steps.first=N} on.
 */
class GraphStepsTest {
    private static final int RUNS = Integer.getInteger("ashlar.steps.runs", 60);
    private static final long FIRST = Long.getLong("ashlar.steps.first", System.nanoTime() & 0xFFFFFF);
    private static final Long ONLY = Long.getLong("ashlar.steps.seed");

    @Test
    void theModelHoldsAfterEveryStep() throws Exception {
        if (ONLY != null) {
            run(ONLY);
            return;
        }
        System.out.println("GraphStepsTest: " + RUNS + " runs from seed " + FIRST);
        int stable = 0;
        int changes = 0;
        int undone = 0;
        int resumed = 0;
        for (int i = 0; i < RUNS; i++) {
            GraphActors actors = run(FIRST + i);
            stable += actors.stableLooks.get();
            changes += actors.changes.get();
            undone += actors.undone.get();
            resumed += actors.resumed.get();
        }
        assertTrue(
                stable > RUNS && changes > RUNS && undone > RUNS / 10 && resumed > RUNS / 10,
                stable + " looks at rest, " + changes + " changes, " + undone + " undone, " + resumed
                        + " ends that let several go");
    }

    /** The same seed is the same run, or a failure could not be looked at. */
    @Test
    void theSameSeedIsTheSameRun() throws Exception {
        assertEquals(steps(7), steps(7));
    }

    private static int steps(long seed) throws Exception {
        GraphActors actors = new GraphActors(true);
        StepRunner runner = runner(actors, seed);
        runner.run(actors::checkAll);
        actors.finish();
        return runner.steps();
    }

    private static GraphActors run(long seed) throws Exception {
        try {
            GraphActors actors = new GraphActors(true);
            runner(actors, seed).run(actors::checkAll);
            actors.finish();
            return actors;
        } catch (Throwable e) {
            throw new AssertionError("-Dashlar.steps.seed=" + seed, e);
        }
    }

    private static StepRunner runner(GraphActors actors, long seed) {
        StepRunner runner = new StepRunner(seed);
        for (int w = 0; w < GraphActors.WRITERS; w++) {
            int me = w;
            Random random = new Random(seed + 31L * w);
            runner.add("writer" + w, () -> actors.readAndWrite(me, random, 25));
        }
        for (int d = 0; d < 2; d++) {
            Random random = new Random(seed + 1000 + d);
            runner.add("drainer" + d, () -> actors.drain(random, 6));
        }
        for (int c = 0; c < 2; c++) {
            Random random = new Random(seed + 2000 + c);
            runner.add("changer" + c, () -> actors.change(random, 10));
        }
        return runner;
    }
}
