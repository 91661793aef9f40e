package dev.ashlar.nativeio;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

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

    /**
     * C1: a thread that waits for the kernel is interrupted, and the caller has let go of the buffer: the wait goes on, the interrupt stays
     * pending, and the memory is there until the completion is consumed, and no longer.
     */
    @Test
    @Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void anInterruptFreesNoBufferThatTheKernelHas() throws Exception {
        Path pipe = scratch.file("pipe");
        assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
        AtomicReference<WeakReference<MemorySegment>> buffer = new AtomicReference<>();
        AtomicReference<Throwable> failure = new AtomicReference<>();
        AtomicInteger result = new AtomicInteger();
        AtomicBoolean pending = new AtomicBoolean();
        CountDownLatch submitted = new CountDownLatch(1);
        try (LinuxFile file = LinuxFile.open(pipe.toString(), OpenFlag.READ_WRITE);
                IoEngine engine = open(4)) {
            Thread waiter = Thread.ofPlatform().daemon().start(() -> {
                try {
                    buffer.set(readInto(engine, file));
                    engine.submit();
                    submitted.countDown();
                    engine.await(1, (token, count) -> result.set(count));
                    pending.set(Thread.currentThread().isInterrupted());
                } catch (Throwable e) {
                    failure.set(e);
                } finally {
                    submitted.countDown();
                }
            });
            submitted.await();
            for (int i = 0; i < 3; i++) {
                waiter.interrupt();
                System.gc();
                Thread.sleep(20);
            }
            boolean waiting = waiter.isAlive();
            boolean kept = !isGone(buffer);
            // Whatever was found, the operation has to end before the engine can be closed.
            Files.write(pipe, new byte[] {1, 2, 3, 4, 5});
            waiter.join();
            assertEquals(null, failure.get());
            assertTrue(waiting, "an interrupt ended the wait");
            assertTrue(kept, "C1: the buffer is gone while the kernel has it");
            assertTrue(pending.get(), "the interrupt stays pending");
            assertEquals(5, result.get());
            for (int i = 0; i < 100 && !isGone(buffer); i++) {
                System.gc();
                Thread.sleep(10);
            }
            assertTrue(isGone(buffer), "the engine keeps a buffer that it has given back");
        }
    }

    private static boolean isGone(AtomicReference<WeakReference<MemorySegment>> buffer) {
        WeakReference<MemorySegment> reference = buffer.get();
        return reference == null || reference.refersTo(null);
    }

    /** Nobody but the engine knows the buffer when this returns. */
    private static WeakReference<MemorySegment> readInto(IoEngine engine, LinuxFile file) {
        MemorySegment buffer = AlignedBuffers.allocate(Arena.ofAuto(), 4096);
        assertTrue(engine.prepareRead(file, 0, buffer, 1));
        return new WeakReference<>(buffer);
    }
}
