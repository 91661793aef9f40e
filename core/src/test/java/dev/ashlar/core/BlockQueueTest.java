package dev.ashlar.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.toy.World;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class BlockQueueTest {
    private static final int SIZE = 1 << 18;

    private static World world(int alignment) {
        World world = new World();
        world.toyImage("disk", 4096, SIZE);
        world.disk("disk").limits = new BlockLimits(alignment, alignment, 1 << 20, 4096, 4096);
        return world;
    }

    /** Whatever way each request goes, the content is that of the model. */
    @Property(tries = 25)
    void allWaysLeadToTheSameBytes(@ForAll long seed) throws Exception {
        Random random = new Random(seed);
        try (World world = world(512);
                Arena arena = random.nextBoolean() ? Arena.ofConfined() : Arena.ofShared();
                BlockBackend backend = world.open("disk", "toy");
                BlockQueue queue = backend.openQueue(8)) {
            byte[] model = new byte[SIZE];
            Map<Long, Runnable> checks = new HashMap<>();
            long token = 0;
            for (int round = 0; round < 40; round++) {
                boolean[] busy = new boolean[SIZE >> 12];
                for (int n = random.nextInt(10); n > 0; n--) {
                    int page = random.nextInt(busy.length - 2);
                    if (busy[page] || busy[page + 1] || busy[page + 2]) {
                        continue;
                    }
                    Arrays.fill(busy, page, page + 3, true);
                    boolean aligned = random.nextBoolean();
                    int offset = (page << 12) + (aligned ? 0 : random.nextInt(4096));
                    int length = aligned ? 4096 : 1 + random.nextInt(4096);
                    MemorySegment buffer = arena.allocate(length, aligned ? 4096 : 1);
                    long mine = token++;
                    boolean taken;
                    if (random.nextBoolean()) {
                        byte[] bytes = new byte[length];
                        random.nextBytes(bytes);
                        buffer.copyFrom(MemorySegment.ofArray(bytes));
                        taken = queue.write(offset, buffer, mine);
                        if (taken) {
                            System.arraycopy(bytes, 0, model, offset, length);
                        }
                        checks.put(mine, () -> {});
                    } else {
                        taken = queue.read(offset, buffer, mine);
                        byte[] expected = Arrays.copyOfRange(model, offset, offset + length);
                        checks.put(mine, () -> assertArrayEquals(expected, buffer.toArray(ValueLayout.JAVA_BYTE)));
                    }
                    if (!taken) {
                        assertEquals(queue.depth(), queue.inFlight());
                        checks.remove(mine);
                    }
                }
                while (queue.inFlight() > 0) {
                    queue.await(random.nextInt(4), (done, result) -> {
                        assertTrue(result > 0, "result " + result);
                        checks.remove(done).run();
                    });
                }
            }
            assertEquals(0, checks.size());
            assertArrayEquals(model, RequestPathTest.readAll(backend));
            assertEquals(0, backend.layer().tracker().inFlight());
        }
    }

    @Test
    void theHitPathUsesTheRing() throws Exception {
        try (World world = world(512);
                Arena arena = Arena.ofConfined();
                BlockBackend backend = world.open("disk", "toy")) {
            MemorySegment page = arena.allocate(4096, 4096);
            backend.write(0, page);
            try (BlockQueue queue = backend.openQueue(4)) {
                AtomicReference<Thread> by = new AtomicReference<>();
                world.disk("disk").hook = (operation, offset, length) -> by.set(Thread.currentThread());
                assertTrue(queue.read(0, page, 1));
                assertTrue(queue.write(0, page, 2));
                assertEquals(2, backend.layer().tracker().inFlight());
                assertEquals(2, queue.submit());
                List<Long> done = new ArrayList<>();
                assertEquals(2, queue.await(2, (token, result) -> done.add(token)));
                assertEquals(List.of(1L, 2L), done);
                assertEquals(Thread.currentThread(), by.get());
                assertEquals(0, backend.layer().tracker().inFlight());
                // A cluster that is not allocated yet, and a flush, need a worker.
                assertTrue(queue.write(8192, page, 3));
                assertTrue(queue.flush(4));
                assertEquals(0, queue.submit());
                Map<Long, Integer> results = new HashMap<>();
                assertEquals(2, queue.await(2, results::put));
                assertEquals(Map.of(3L, 4096, 4L, 0), results);
            }
        }
    }

    @Test
    void failuresComeAsErrnoAndAsException() throws Exception {
        try (World world = world(512);
                Arena arena = Arena.ofConfined();
                BlockBackend backend = world.open("disk", "toy");
                BlockQueue queue = backend.openQueue(4)) {
            MemorySegment page = arena.allocate(4096, 4096);
            backend.write(0, page);
            world.disk("disk").hook = (operation, offset, length) -> {
                throw new BlockException(operation.equals("read") ? Kind.IO : Kind.NO_SPACE, "broken " + operation);
            };
            queue.read(0, page, 1);
            queue.write(65536, page, 2);
            queue.read(SIZE - 100, page, 3);
            Map<Long, Integer> results = new HashMap<>();
            queue.await(3, results::put);
            assertEquals(Map.of(1L, -5, 2L, -28, 3L, -5), results);
            assertEquals(Kind.IO, queue.takeFailure(1).orElseThrow().kind());
            assertEquals("broken write", queue.takeFailure(2).orElseThrow().getMessage());
            assertEquals(Kind.OUT_OF_BOUNDS, queue.takeFailure(3).orElseThrow().kind());
            assertTrue(queue.takeFailure(3).isEmpty());
            assertEquals(0, queue.inFlight());
            assertEquals(0, queue.await(1, results::put), "nothing to wait for");
            world.disk("disk").hook = (operation, offset, length) -> {};
        }
    }

    /** D7: what a drain holds back starts after it, in order, and the sleeping owner is woken. */
    @Test
    void requestsAreHeldBackWhileDrained() throws Exception {
        try (World world = world(1);
                Arena arena = Arena.ofShared();
                BlockBackend backend = world.open("disk", "toy")) {
            MemorySegment page = arena.allocate(4096, 4096);
            for (int i = 0; i < 8; i++) {
                backend.write(i * 4096L, page);
            }
            List<Long> order = new ArrayList<>();
            CountDownLatch taken = new CountDownLatch(1);
            DrainedSection section = backend.drain();
            world.disk("disk").hook = (operation, offset, length) -> order.add(offset);
            Thread owner = Thread.ofPlatform().start(() -> {
                try (BlockQueue queue = backend.openQueue(16)) {
                    for (int i = 0; i < 8; i++) {
                        queue.read((7 - i) * 4096L, page, i);
                    }
                    queue.submit();
                    taken.countDown();
                    assertEquals(8, queue.await(8, (token, result) -> {}));
                } catch (BlockException e) {
                    throw new AssertionError(e);
                }
            });
            taken.await();
            Thread.sleep(50);
            assertEquals(List.of(), order);
            assertTrue(owner.isAlive());
            section.close();
            owner.join();
            List<Long> expected = new ArrayList<>();
            for (int i = 7; i >= 0; i--) {
                expected.add(i * 4096L);
            }
            assertEquals(8, order.size());
            assertEquals(expected, order.stream().map(offset -> offset).toList());
        }
    }

    /** The owner may drain while its own requests are in the ring: it takes the completions, the next await hands them out. */
    @Test
    void theOwnerMayDrain() throws Exception {
        try (World world = world(512);
                Arena arena = Arena.ofConfined();
                BlockBackend backend = world.open("disk", "toy");
                BlockQueue queue = backend.openQueue(4)) {
            MemorySegment page = arena.allocate(4096, 4096);
            backend.write(0, page);
            queue.read(0, page, 1);
            queue.submit();
            try (DrainedSection section = backend.drain()) {
                assertTrue(section.nodes().contains(backend.root()));
                assertEquals(0, backend.layer().tracker().inFlight());
                assertEquals(1, queue.inFlight());
            }
            assertEquals(1, queue.await(1, (token, result) -> assertEquals(4096, result)));
            queue.read(0, page, 2);
            assertThrows(
                    IllegalStateException.class,
                    () -> queue.await(1, (token, result) -> backend.drain().close()));
            assertFalse(backend.layer().tracker().isDrained());
        }
    }

    /** Drains from another thread against a queue at full speed. */
    @Test
    void drainsAndAQueueAtFullSpeed() throws Exception {
        try (World world = world(512);
                BlockBackend backend = world.open("disk", "toy")) {
            backend.write(0, MemorySegment.ofArray(new byte[SIZE]));
            CountDownLatch stop = new CountDownLatch(1);
            AtomicReference<Throwable> failure = new AtomicReference<>();
            Thread owner = Thread.ofPlatform().start(() -> {
                try (Arena arena = Arena.ofShared();
                        BlockQueue queue = backend.openQueue(16)) {
                    MemorySegment page = arena.allocate(4096, 4096);
                    Random random = new Random(1);
                    while (stop.getCount() > 0) {
                        while (queue.read((long) random.nextInt(SIZE >> 12) << 12, page, 0)) {
                            Thread.onSpinWait();
                        }
                        queue.await(4, (token, result) -> assertEquals(4096, result));
                    }
                    while (queue.inFlight() > 0) {
                        queue.await(1, (token, result) -> assertEquals(4096, result));
                    }
                } catch (Throwable e) {
                    failure.set(e);
                }
            });
            for (int i = 0; i < 500; i++) {
                try (DrainedSection section = backend.drain()) {
                    assertTrue(section.nodes().contains(backend.root()));
                    assertEquals(0, world.disk("disk").busy.get());
                    assertEquals(0, backend.layer().tracker().inFlight());
                }
            }
            stop.countDown();
            owner.join();
            assertEquals(null, failure.get());
        }
    }

    @Test
    void belongsToOneThread() throws Exception {
        try (World world = world(512);
                BlockBackend backend = world.open("disk", "toy");
                BlockQueue queue = backend.openQueue(4)) {
            queue.submit();
            AtomicReference<Throwable> refused = new AtomicReference<>();
            Thread other = Thread.ofPlatform().start(() -> {
                try {
                    queue.submit();
                } catch (BlockException | IllegalStateException e) {
                    refused.set(e);
                }
            });
            other.join();
            assertTrue(refused.get() instanceof IllegalStateException);
            assertThrows(IllegalStateException.class, backend::close);
            assertThrows(IllegalArgumentException.class, () -> backend.openQueue(0));
        }
    }
}
