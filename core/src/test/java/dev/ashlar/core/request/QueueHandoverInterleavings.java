package dev.ashlar.core.request;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.junit.jupiter.api.Test;

/**
 * How workers hand finished requests back to the owner of a queue, under Lincheck's model checker: each comes once, and in the order in which they were handed back (D7).
 *
 * <p>{@code -Dashlar.interleavings=20000} tries more interleavings. Runs in a JVM of its own, on the class path.
 */
public class QueueHandoverInterleavings {
    private static final int INTERLEAVINGS = Integer.getInteger("ashlar.interleavings", 600);

    private final QueueWorkers workers = new QueueWorkers(
            () -> {
                throw new IllegalStateException("nothing is started here");
            },
            Origin.BACKEND,
            () -> {});

    @Operation(nonParallelGroup = "one worker")
    public void handBackOne() {
        workers.handBack(new QueueEntry(1));
    }

    @Operation(nonParallelGroup = "another worker")
    public void handBackTwo() {
        workers.handBack(new QueueEntry(2));
    }

    @Operation(nonParallelGroup = "owner")
    public List<Integer> collect() {
        ArrayDeque<QueueEntry> ready = new ArrayDeque<>();
        workers.collect(ready);
        List<Integer> indexes = new ArrayList<>();
        for (QueueEntry entry : ready) {
            indexes.add(entry.index);
        }
        return indexes;
    }

    @Test
    void eachComesOnceAndInOrder() {
        new ModelCheckingOptions()
                .iterations(6)
                .invocationsPerIteration(INTERLEAVINGS)
                .threads(3)
                .actorsPerThread(2)
                .actorsBefore(0)
                .actorsAfter(1)
                .minimizeFailedScenario(false)
                .check(QueueHandoverInterleavings.class);
    }
}
