package dev.ashlar.nativeio;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What every {@link IoEngine} must do; a subclass for each kind. */
@Timeout(120)
abstract class IoEngineContract {
    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    /** Results by token; each token must arrive once. */
    private final Map<Long, Integer> results = new HashMap<>();

    private final CompletionConsumer collect = (token, result) -> {
        if (results.put(token, result) != null) {
            throw new AssertionError("token came twice: " + token);
        }
    };

    abstract IoEngine open(int capacity) throws ErrnoException;

    private static final int ALL = Integer.MAX_VALUE;

    private LinuxFile openFile(OpenFlag... more) throws ErrnoException {
        OpenFlag[] flags = Arrays.copyOf(more, more.length + 2);
        flags[more.length] = OpenFlag.READ_WRITE;
        flags[more.length + 1] = OpenFlag.CREATE;
        return LinuxFile.open(scratch.file("image").toString(), flags);
    }

    private static MemorySegment buffer(int lengthBytes) {
        return AlignedBuffers.allocate(Arena.ofAuto(), lengthBytes);
    }

    private static MemorySegment filled(int lengthBytes, int value) {
        return buffer(lengthBytes).fill((byte) value);
    }

    @Test
    void readsBackWhatItWrote() throws Exception {
        try (IoEngine engine = open(4);
                LinuxFile file = openFile(OpenFlag.DIRECT)) {
            MemorySegment read = buffer(8192);
            assertTrue(engine.prepareWrite(file, 4096, filled(8192, 0x5a), 1));
            assertEquals(1, engine.inFlight());
            assertEquals(1, engine.await(1, collect));
            assertTrue(engine.prepareRead(file, 4096, read, 2));
            assertEquals(1, engine.await(1, collect));
            assertEquals(Map.of(1L, 8192, 2L, 8192), results);
            assertEquals(-1, read.mismatch(filled(8192, 0x5a)));
            assertEquals(0, engine.inFlight());
        }
    }

    @Test
    void movesOnlyThePartOfTheBufferThatWasNamed() throws Exception {
        try (IoEngine engine = open(4);
                LinuxFile file = openFile()) {
            MemorySegment buffer = filled(100, 1);
            engine.prepareWrite(file, 0, filled(50, 2), 10, 30, 1);
            engine.await(1, collect);
            engine.prepareRead(file, 0, buffer, 40, 30, 2);
            engine.await(1, collect);
            assertEquals(Map.of(1L, 30, 2L, 30), results);
            byte[] expected = new byte[100];
            Arrays.fill(expected, (byte) 1);
            Arrays.fill(expected, 40, 70, (byte) 2);
            assertArrayEquals(expected, buffer.toArray(ValueLayout.JAVA_BYTE));
            assertThrows(IndexOutOfBoundsException.class, () -> engine.prepareRead(file, 0, buffer, 90, 11, 3));
        }
    }

    @Test
    void movesVectors() throws Exception {
        try (IoEngine engine = open(4);
                LinuxFile file = openFile()) {
            IoVector out = new IoVector(2);
            out.add(filled(10, 1));
            out.add(filled(20, 2));
            engine.prepareWritev(file, 5, out, 1);
            engine.await(1, collect);
            IoVector in = new IoVector(2);
            MemorySegment first = buffer(15);
            MemorySegment second = buffer(15);
            in.add(first);
            in.add(second);
            engine.prepareReadv(file, 5, in, 2);
            engine.await(1, collect);
            assertEquals(Map.of(1L, 30, 2L, 30), results);
            assertEquals(1, first.get(ValueLayout.JAVA_BYTE, 9));
            assertEquals(2, first.get(ValueLayout.JAVA_BYTE, 10));
            assertEquals(2, second.get(ValueLayout.JAVA_BYTE, 14));
        }
    }

    @Test
    void readsAreShortAtTheEndOfTheFile() throws Exception {
        try (IoEngine engine = open(4);
                LinuxFile file = openFile()) {
            assertEquals(1000, file.pwrite(filled(1000, 1), 0));
            engine.prepareRead(file, 600, buffer(4096), 1);
            engine.prepareRead(file, 1000, buffer(4096), 2);
            engine.prepareRead(file, 1L << 40, buffer(4096), 3);
            engine.await(3, collect);
            assertEquals(Map.of(1L, 400, 2L, 0, 3L, 0), results);
        }
    }

    @Test
    void reportsWhatTheKernelRefuses() throws Exception {
        LinuxFile closed = openFile();
        closed.close();
        try (IoEngine engine = open(8);
                LinuxFile direct = openFile(OpenFlag.DIRECT);
                LinuxFile readOnly = LinuxFile.open(direct.path(), OpenFlag.READ_ONLY);
                LinuxFile full = LinuxFile.open("/dev/full", OpenFlag.WRITE_ONLY)) {
            engine.prepareRead(closed, 0, buffer(512), 1);
            engine.prepareWrite(readOnly, 0, buffer(512), 2);
            engine.prepareWrite(direct, 1, buffer(512), 3);
            engine.prepareWrite(full, 0, buffer(512), 4);
            engine.prepareRead(direct, -1, buffer(512), 5);
            engine.prepareFallocate(direct, FallocateMode.ALLOCATE, 0, 0, 6);
            engine.prepareFdatasync(closed, 7);
            engine.await(ALL, collect);
            assertEquals(
                    Map.of(
                            1L, -Errno.EBADF,
                            2L, -Errno.EBADF,
                            3L, -Errno.EINVAL,
                            4L, -Errno.ENOSPC,
                            5L, -Errno.EINVAL,
                            6L, -Errno.EINVAL,
                            7L, -Errno.EBADF),
                    results);
            assertThrows(
                    IllegalArgumentException.class,
                    () -> engine.prepareRead(direct, 0, MemorySegment.ofArray(new byte[512]), 8));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> engine.prepareRead(direct, 0, buffer(512).asReadOnly(), 8));
        }
    }

    @Test
    void syncsAndAllocates() throws Exception {
        try (IoEngine engine = open(8);
                LinuxFile file = openFile()) {
            engine.prepareFallocate(file, FallocateMode.ALLOCATE, 0, 1 << 20, 1);
            engine.await(1, collect);
            assertEquals(1 << 20, file.length());
            engine.prepareWrite(file, 0, filled(65536, 1), 2);
            engine.await(1, collect);
            engine.prepareFallocate(file, FallocateMode.PUNCH_HOLE, 0, 65536, 3);
            engine.prepareFdatasync(file, 4);
            engine.prepareFsync(file, 5);
            engine.prepareNop(6);
            assertEquals(4, engine.await(4, collect));
            assertEquals(Map.of(1L, 0, 2L, 65536, 3L, 0, 4L, 0, 5L, 0, 6L, 0), results);
            MemorySegment read = filled(65536, 9);
            assertEquals(65536, file.pread(read, 0));
            assertEquals(-1, read.mismatch(buffer(65536)));
        }
    }

    @Test
    void refusesMoreThanItsCapacityAndLosesNothing() throws Exception {
        try (IoEngine engine = open(5);
                LinuxFile file = openFile()) {
            file.pwrite(filled(4096, 1), 0);
            for (int i = 0; i < 5; i++) {
                assertTrue(engine.prepareRead(file, 0, buffer(512), i));
            }
            assertFalse(engine.prepareRead(file, 0, buffer(512), 5));
            assertFalse(engine.prepareNop(5));
            assertFalse(engine.prepareFdatasync(file, 5));
            assertEquals(5, engine.submit());
            assertFalse(engine.prepareNop(5), "submitted, but not consumed");
            assertEquals(5, engine.await(ALL, collect));
            assertEquals(0, engine.await(ALL, collect), "waits for no more than is in flight");
            assertTrue(engine.prepareNop(5));
            engine.await(1, collect);
            assertEquals(6, results.size());
        }
    }

    @Test
    void takesNewOperationsFromTheConsumer() throws Exception {
        try (IoEngine engine = open(8);
                LinuxFile file = openFile()) {
            file.pwrite(filled(4096, 1), 0);
            MemorySegment buffer = buffer(8 * 512);
            long[] counts = new long[2];
            for (int i = 0; i < 8; i++) {
                engine.prepareRead(file, 0, buffer, i * 512L, 512, i);
            }
            CompletionConsumer chain = new CompletionConsumer() {
                @Override
                public void accept(long token, int result) {
                    assertEquals(512, result);
                    counts[0]++;
                    if (counts[0] + engine.inFlight() < 10_000) {
                        assertTrue(engine.prepareRead(file, 0, buffer, token * 512, 512, token));
                    }
                }
            };
            while (counts[0] < 10_000) {
                counts[1] += engine.await(3, chain);
            }
            assertEquals(10_000, counts[1]);
            assertEquals(0, engine.inFlight());
        }
    }

    @Test
    void pollsWithoutWaiting() throws Exception {
        try (IoEngine engine = open(4)) {
            assertEquals(0, engine.poll(collect));
            engine.prepareNop(1);
            assertEquals(0, engine.poll(collect), "not submitted");
            engine.submit();
            while (engine.poll(collect) == 0) {
                Thread.onSpinWait();
            }
            assertEquals(Map.of(1L, 0), results);
        }
    }

    @Test
    void wakesUpFromAnotherThread() throws Exception {
        try (IoEngine engine = open(4)) {
            Thread waker = Thread.ofPlatform().start(() -> {
                sleepMillis(50);
                engine.wakeup();
            });
            assertEquals(0, engine.awaitOrWakeup(1, Long.MAX_VALUE, collect));
            waker.join();
            engine.wakeup();
            engine.wakeup();
            assertEquals(0, engine.awaitOrWakeup(1, Long.MAX_VALUE, collect), "an earlier wake-up counts");
            long start = System.nanoTime();
            assertEquals(0, engine.awaitOrWakeup(1, TimeUnit.MILLISECONDS.toNanos(30), collect));
            long waitedMillis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
            assertTrue(waitedMillis >= 29, "two wake-ups count as one, yet waited " + waitedMillis);
        }
    }

    @Test
    void neverMissesAWakeup() throws Exception {
        int rounds = 2_000;
        try (IoEngine engine = open(4)) {
            var sent = new java.util.concurrent.atomic.AtomicInteger();
            var seen = new java.util.concurrent.atomic.AtomicInteger();
            Thread waker = Thread.ofPlatform().start(() -> {
                for (int i = 1; i <= rounds; i++) {
                    sent.set(i);
                    engine.wakeup();
                    while (seen.get() < i) {
                        Thread.onSpinWait();
                    }
                }
            });
            while (seen.get() < rounds) {
                engine.awaitOrWakeup(1, Long.MAX_VALUE, collect);
                seen.set(sent.get());
            }
            waker.join();
            assertEquals(rounds, seen.get());
        }
        assertEquals(Map.of(), results);
    }

    @Test
    void wakesUpAfterCloseWithoutHarm() throws Exception {
        IoEngine engine = open(4);
        engine.awaitOrWakeup(1, 0, collect);
        engine.close();
        engine.close();
        engine.wakeup();
        assertThrows(IllegalStateException.class, () -> engine.prepareNop(1));
    }

    @Test
    void closeWaitsForWhatIsInFlight() throws Exception {
        try (LinuxFile file = openFile(OpenFlag.DIRECT)) {
            IoEngine engine = open(16);
            for (int i = 0; i < 16; i++) {
                engine.prepareWrite(file, i * 65536L, filled(65536, i + 1), i);
            }
            engine.submit();
            engine.close();
            MemorySegment read = buffer(65536);
            for (int i = 0; i < 16; i++) {
                assertEquals(65536, file.pread(read, i * 65536L));
                assertEquals(-1, read.mismatch(filled(65536, i + 1)), "write " + i);
            }
        }
    }

    @Test
    void aFileClosedInFlightKeepsItsDescriptorUntilTheEnd() throws Exception {
        try (IoEngine engine = open(64)) {
            for (int round = 0; round < 50; round++) {
                results.clear();
                Path other = scratch.file("other");
                Files.writeString(other, "untouched");
                LinuxFile file = openFile();
                for (int i = 0; i < 32; i++) {
                    engine.prepareWrite(file, i * 10L, filled(10, 7), i);
                }
                file.close();
                // Would get the descriptor's number if the close had given it back already.
                try (LinuxFile next = LinuxFile.open(other.toString(), OpenFlag.READ_WRITE)) {
                    assertEquals(32, engine.await(ALL, collect));
                    assertTrue(results.values().stream().allMatch(r -> r == 10), results::toString);
                    assertEquals(9, next.length());
                }
                assertEquals("untouched", Files.readString(other));
            }
            assertEquals(320, Files.size(scratch.file("image")));
        }
    }

    @Test
    void cancelledOperationsComplete() throws Exception {
        try (IoEngine engine = open(8);
                LinuxFile file = openFile()) {
            file.pwrite(filled(4096, 1), 0);
            engine.prepareRead(file, 0, buffer(512), 1);
            assertTrue(engine.cancel(1));
            assertFalse(engine.cancel(2));
            engine.await(1, collect);
            int result = results.getOrDefault(1L, 0);
            assertTrue(result == 512 || result == -Errno.ECANCELED, "result " + result);
            assertFalse(engine.cancel(1), "nothing in flight");
            engine.prepareNop(3);
            engine.await(1, collect);
            assertEquals(2, results.size(), "the cancellation itself is not reported");
        }
    }

    @Test
    void registeredFilesAndBuffersWorkTheSame() throws Exception {
        try (IoEngine engine = open(8);
                LinuxFile file = openFile(OpenFlag.DIRECT)) {
            LinuxFile second = file.reopen(OpenFlag.READ_WRITE);
            MemorySegment pool = filled(65536, 3);
            MemorySegment otherPool = filled(65536, 4);
            assertEquals(engine.isAsynchronous(), engine.register(file));
            assertEquals(engine.isAsynchronous(), engine.register(second));
            assertEquals(engine.isAsynchronous(), engine.registerBuffers(pool, otherPool));
            engine.prepareWrite(file, 0, pool.asSlice(4096, 4096), 1);
            engine.prepareWrite(second, 4096, otherPool, 8192, 4096, 2);
            engine.prepareWrite(file, 8192, filled(4096, 5), 3);
            engine.await(3, collect);
            MemorySegment read = buffer(12288);
            engine.unregister(file);
            engine.prepareRead(file, 0, read, 4);
            engine.await(1, collect);
            assertEquals(Map.of(1L, 4096, 2L, 4096, 3L, 4096, 4L, 12288), results);
            assertEquals(3, read.get(ValueLayout.JAVA_BYTE, 4095));
            assertEquals(4, read.get(ValueLayout.JAVA_BYTE, 4096));
            assertEquals(5, read.get(ValueLayout.JAVA_BYTE, 12287));
            second.close();
            engine.prepareRead(second, 0, read, 5);
            engine.await(1, collect);
            assertEquals(-Errno.EBADF, results.get(5L));
        }
    }

    @Test
    void aClosedEngineHoldsOnToNoLock() throws Exception {
        MemorySegment buffer = buffer(512);
        for (int round = 0; round < 200; round++) {
            LinuxFile file = openFile();
            assertEquals(0, OfdLocks.of(file).tryLock(LockType.WRITE, 0, 1), "round " + round);
            try (IoEngine engine = open(4)) {
                engine.register(file);
                engine.prepareWrite(file, 0, buffer, round);
                engine.submit();
            }
            file.close();
        }
        assertEquals(512, Files.size(scratch.file("image")));
    }

    @Test
    void agreesWithAByteArrayOverManyRandomOperations() throws Exception {
        long seed = Long.getLong("ashlar.seed", System.nanoTime());
        System.out.println(getClass().getSimpleName() + ": -Dashlar.seed=" + seed);
        RandomOperations operations = new RandomOperations(seed, 100_000);
        try (IoEngine engine = open(32);
                LinuxFile file = openFile()) {
            engine.register(file);
            operations.run(engine, file);
        }
    }

    @Test
    void movesBetweenThreads() throws Exception {
        try (IoEngine engine = open(8);
                LinuxFile file = openFile()) {
            file.pwrite(filled(4096, 1), 0);
            for (int i = 0; i < 20; i++) {
                long token = i;
                Thread thread = Thread.ofVirtual().start(() -> {
                    engine.prepareRead(file, 0, buffer(512), token);
                    try {
                        engine.submit();
                    } catch (ErrnoException e) {
                        throw new AssertionError(e);
                    }
                });
                thread.join();
                assertEquals(1, engine.await(1, collect));
            }
            assertEquals(20, results.size());
            assertTrue(results.values().stream().allMatch(r -> r == 512));
        }
    }

    private static void sleepMillis(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Random reads, writes and holes on one file; operations in flight together never overlap. */
    private static final class RandomOperations {
        private static final int BLOCK_BYTES = 512;
        private static final int BLOCKS = 256;

        private final Random random;
        private final int total;
        private final byte[] model = new byte[BLOCKS * BLOCK_BYTES];
        private final boolean[] busy = new boolean[BLOCKS];
        private final int[] firstBlock = new int[64];
        private final int[] blockCount = new int[64];
        private final boolean[] isRead = new boolean[64];
        private final MemorySegment[] buffers = new MemorySegment[64];
        private final java.util.ArrayDeque<Integer> idle = new java.util.ArrayDeque<>();
        private int done;

        RandomOperations(long seed, int total) {
            random = new Random(seed);
            this.total = total;
        }

        void run(IoEngine engine, LinuxFile file) throws ErrnoException {
            assertEquals(0, file.ftruncate(model.length));
            for (int i = 0; i < engine.capacity(); i++) {
                idle.add(i);
                buffers[i] = AlignedBuffers.allocate(Arena.ofAuto(), 8 * BLOCK_BYTES);
            }
            int started = 0;
            while (done < total) {
                while (started < total && !idle.isEmpty() && start(engine, file, idle.peek())) {
                    idle.remove();
                    started++;
                }
                engine.await(1 + random.nextInt(4), this::complete);
            }
        }

        private boolean start(IoEngine engine, LinuxFile file, int slot) {
            int count = 1 + random.nextInt(8);
            int first = random.nextInt(BLOCKS - count);
            for (int block = first; block < first + count; block++) {
                if (busy[block]) {
                    return false;
                }
            }
            Arrays.fill(busy, first, first + count, true);
            firstBlock[slot] = first;
            blockCount[slot] = count;
            int from = first * BLOCK_BYTES;
            int length = count * BLOCK_BYTES;
            int kind = random.nextInt(10);
            isRead[slot] = kind < 5;
            if (kind < 5) {
                return require(engine.prepareRead(file, from, buffers[slot], 0, length, slot));
            }
            if (kind == 5) {
                Arrays.fill(model, from, from + length, (byte) 0);
                return require(engine.prepareFallocate(file, FallocateMode.PUNCH_HOLE, from, length, slot));
            }
            byte[] bytes = new byte[length];
            random.nextBytes(bytes);
            System.arraycopy(bytes, 0, model, from, length);
            MemorySegment.copy(bytes, 0, buffers[slot], ValueLayout.JAVA_BYTE, 0, length);
            return require(engine.prepareWrite(file, from, buffers[slot], 0, length, slot));
        }

        private static boolean require(boolean prepared) {
            assertTrue(prepared, "an engine with room refused");
            return true;
        }

        private void complete(long token, int result) {
            int slot = (int) token;
            int from = firstBlock[slot] * BLOCK_BYTES;
            int length = blockCount[slot] * BLOCK_BYTES;
            assertTrue(result == length || result == 0 && !isRead[slot], "result " + result);
            if (isRead[slot]) {
                byte[] expected = Arrays.copyOfRange(model, from, from + length);
                assertEquals(-1, MemorySegment.ofArray(expected).mismatch(buffers[slot].asSlice(0, length)));
            }
            Arrays.fill(busy, firstBlock[slot], firstBlock[slot] + blockCount[slot], false);
            idle.add(slot);
            done++;
        }
    }
}
