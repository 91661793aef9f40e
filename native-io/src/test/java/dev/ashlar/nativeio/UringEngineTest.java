package dev.ashlar.nativeio;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The contract on {@code io_uring}, and what is special about rings. */
class UringEngineTest extends IoEngineContract {
    @BeforeAll
    static void needsRings() {
        RingFeatures features = RingFeatures.probe();
        assumeTrue(
                features.isSufficient(),
                () -> "skipped: io_uring is refused here: " + Errno.text(Math.max(1, features.refusal())));
    }

    @Override
    IoEngine open(int capacity) throws ErrnoException {
        return IoEngines.open(capacity, EnginePreference.IO_URING, EngineOwnership.MOVABLE);
    }

    @Test
    void saysWhatItIs() throws Exception {
        try (IoEngine engine = open(1)) {
            assertTrue(engine.isAsynchronous());
        }
    }

    @Test
    void worksWithTheFirstSubmitterOnly() throws Exception {
        try (IoEngine engine = IoEngines.open(8, EnginePreference.IO_URING, EngineOwnership.FIRST_SUBMITTER);
                LinuxFile file = LinuxFile.open(
                        scratch.file("bound").toString(), OpenFlag.READ_WRITE, OpenFlag.CREATE, OpenFlag.DIRECT)) {
            int[] count = new int[1];
            MemorySegment buffer = AlignedBuffers.allocate(Arena.ofAuto(), 4096).fill((byte) 1);
            engine.register(file);
            engine.prepareWrite(file, 0, buffer, 1);
            engine.await(1, (token, result) -> count[0] += result);
            engine.prepareRead(file, 0, buffer, 2);
            engine.submit();
            while (engine.inFlight() > 0) {
                engine.poll((token, result) -> count[0] += result);
            }
            assertEquals(8192, count[0]);
            AtomicReference<Throwable> thrown = new AtomicReference<>();
            engine.prepareNop(3);
            Thread.ofPlatform()
                    .start(() -> thrown.set(assertThrows(IllegalStateException.class, engine::submit)))
                    .join();
            assertTrue(String.valueOf(thrown.get()).contains("submitted first"), String.valueOf(thrown.get()));
            assertEquals(1, engine.await(1, (token, result) -> {}));
        }
    }

    @Test
    void survivesQueuesShorterThanItsCapacity() throws Exception {
        // Four places for completions and 64 operations nobody collects: the kernel has to hide the rest.
        RingSetup tiny = new RingSetup(RingSetup.CQSIZE, 4);
        try (IoEngine engine = UringEngine.open(64, 4, new RingSetup[] {tiny}, RingKernel.LINUX)) {
            boolean[] seen = new boolean[64];
            for (int round = 0; round < 100; round++) {
                for (int i = 0; i < 64; i++) {
                    seen[i] = false;
                    assertTrue(engine.prepareNop(i), "operation " + i);
                }
                int count = 0;
                while (engine.inFlight() > 0) {
                    engine.submit();
                    count += engine.poll((token, result) -> {
                        assertTrue(!seen[(int) token] && result == 0);
                        seen[(int) token] = true;
                    });
                }
                assertEquals(64, count);
            }
        }
    }
}
