package dev.ashlar.cli.interop.differential;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.testkit.host.ScratchDirectory;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/**
 * Random images with random features, under random commands drawn between Ashlar and the real programs. After each round of a few commands both read the same
 * bytes as the model, of the disk and of every snapshot; both checks say the same and find nothing; {@code info} and {@code map} agree in every word.
 *
 * <p>Rounds by the property {@code ashlar.interop.rounds}, the first image's seed by {@code ashlar.interop.seed}. A failure tells the seed of its image, which
 * with a single round begins with the same image again, and the commands that lead to it. Without a seed each run takes the same images.
 */
@RequiresQemu
class DifferentialTest {
    private static final int ROUNDS = Integer.getInteger("ashlar.interop.rounds", 200);
    private static final long SEED = Long.getLong("ashlar.interop.seed", 1_000_000);
    private static final int ROUNDS_OF_AN_IMAGE = 5;
    private static final int DEEDS_OF_A_ROUND = 7;
    private static final int THREADS = 2;

    @Test
    void bothDoAndReadTheSame() throws Exception {
        DifferentialRun.Tally tally = new DifferentialRun.Tally();
        AtomicLong next = new AtomicLong(SEED);
        AtomicBoolean failed = new AtomicBoolean();
        try (ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
            Callable<Void> worker = () -> {
                while (tally.rounds() < ROUNDS && !failed.get()) {
                    try {
                        image(next.getAndIncrement(), tally);
                    } catch (Throwable e) {
                        failed.set(true);
                        throw e;
                    }
                }
                return null;
            };
            List<Future<Void>> results = threads.invokeAll(Collections.nCopies(ROUNDS == 1 ? 1 : THREADS, worker));
            for (Future<Void> each : results) {
                each.get();
            }
        } catch (ExecutionException e) {
            throw new AssertionError(e.getCause().getMessage(), e.getCause());
        }
        System.out.println("differential test, -Dashlar.interop.seed=" + SEED + ": " + tally);
        assertTrue(tally.rounds() >= ROUNDS, tally.toString());
    }

    private static void image(long seed, DifferentialRun.Tally tally) throws Exception {
        try (ScratchDirectory directory = scratch()) {
            DifferentialRun run = new DifferentialRun(directory.path(), seed, tally);
            run.create();
            for (int round = 0; round < ROUNDS_OF_AN_IMAGE; round++) {
                run.round(1 + DEEDS_OF_A_ROUND, round == ROUNDS_OF_AN_IMAGE - 1);
            }
        }
    }

    /** In memory where the host has such a place: the rounds are about content and not about durability. */
    private static ScratchDirectory scratch() throws IOException {
        Path memory = Path.of("/dev/shm");
        return System.getProperty("ashlar.test.dir") == null && Files.isWritable(memory)
                ? new ScratchDirectory(Files.createTempDirectory(memory, "ashlar-test-"))
                : ScratchDirectory.create();
    }
}
