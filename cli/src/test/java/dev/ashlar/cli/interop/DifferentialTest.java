package dev.ashlar.cli.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.testkit.host.ScratchDirectory;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/**
 * Random images with random features, under random commands drawn between Ashlar and the real programs. After each round of a few commands both read the same
 * bytes as the model, of the disk and of every snapshot; both checks say the same and find nothing; {@code info} and {@code map} agree in every word.
 *
 * <p>Rounds by the property {@code ashlar.interop.rounds}, the first image's seed by {@code ashlar.interop.seed}. A failure tells the seed of its image, which
 * with a single round begins with the same image again, and the commands that lead to it.
 */
@RequiresQemu
class DifferentialTest {
    private static final int ROUNDS = Integer.getInteger("ashlar.interop.rounds", 200);
    private static final long SEED = Long.getLong("ashlar.interop.seed", System.nanoTime() & 0xffff_ffffL);
    private static final int ROUNDS_OF_AN_IMAGE = 5;
    private static final int DEEDS_OF_A_ROUND = 7;
    private static final int THREADS = 2;

    @Test
    void bothDoAndReadTheSame() throws Exception {
        DifferentialRun.Tally tally = new DifferentialRun.Tally();
        AtomicInteger next = new AtomicInteger();
        int images = Math.ceilDiv(ROUNDS, ROUNDS_OF_AN_IMAGE);
        try (ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
            Callable<Void> worker = () -> {
                for (int index = next.getAndIncrement(); index < images; index = next.getAndIncrement()) {
                    try {
                        image(SEED + index, tally);
                    } catch (Throwable e) {
                        next.set(images);
                        throw e;
                    }
                }
                return null;
            };
            List<Future<Void>> results = threads.invokeAll(List.of(worker, worker));
            for (Future<Void> each : results) {
                each.get();
            }
        } catch (ExecutionException e) {
            throw new AssertionError(e.getCause().getMessage(), e.getCause());
        }
        System.out.println("differential test, -Dashlar.interop.seed=" + SEED + ": " + tally);
        assertEquals(images * ROUNDS_OF_AN_IMAGE, tally.rounds());
    }

    private static void image(long seed, DifferentialRun.Tally tally) throws Exception {
        try (ScratchDirectory directory = scratch();
                DifferentialRun run = new DifferentialRun(directory.path(), seed, tally)) {
            run.create();
            for (int round = 0; !run.leftOut && round < ROUNDS_OF_AN_IMAGE; round++) {
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
