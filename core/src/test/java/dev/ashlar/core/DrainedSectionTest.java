package dev.ashlar.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.toy.ToyInstance;
import dev.ashlar.core.toy.World;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class DrainedSectionTest {
    /** D1, D2: while anyone drains, nothing is under way; all that was asked for happens in the end. */
    @Test
    void nothingIsUnderWayInsideADrain() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, 1 << 18);
            try (BlockBackend backend = world.open("disk", "toy")) {
                AtomicBoolean stop = new AtomicBoolean();
                AtomicReference<Throwable> failure = new AtomicReference<>();
                List<Thread> threads = new ArrayList<>();
                for (int t = 0; t < 4; t++) {
                    Random random = new Random(t);
                    threads.add((t % 2 == 0 ? Thread.ofVirtual() : Thread.ofPlatform()).start(() -> {
                        try {
                            while (!stop.get()) {
                                MemorySegment bytes = MemorySegment.ofArray(new byte[random.nextInt(9000)]);
                                long offset = random.nextInt((1 << 18) - 9000);
                                if (random.nextBoolean()) {
                                    backend.write(offset, bytes);
                                } else {
                                    backend.read(offset, bytes);
                                }
                            }
                        } catch (Throwable e) {
                            failure.compareAndSet(null, e);
                        }
                    }));
                }
                ToyInstance instance =
                        backend.root().capability(ToyInstance.class).orElseThrow();
                for (int i = 0; i < 300; i++) {
                    BlockNode target = i % 3 == 0
                            ? backend.root()
                            : backend.root().children().get(0).node();
                    try (DrainedSection outer = i % 5 == 0 ? world.graph.drainAll() : target.drain();
                            DrainedSection inner = i % 2 == 0 ? backend.drain() : null) {
                        assertTrue(inner != outer);
                        assertEquals(0, world.disk("disk").busy.get());
                        assertEquals(0, backend.layer().tracker().inFlight());
                        int writes = world.disk("disk").writes.get();
                        Thread.yield();
                        assertEquals(writes, world.disk("disk").writes.get());
                        assertTrue(instance.drainDepth.get() > 0);
                    }
                }
                stop.set(true);
                for (Thread thread : threads) {
                    thread.join();
                }
                assertSame(null, failure.get());
                assertEquals(0, instance.drainDepth.get());
                assertEquals(0, backend.layer().tracker().inFlight());
            }
        }
    }

    /** D3: a drain reaches parents, not children. */
    @Test
    void aDrainReachesParentsButNotChildren() throws Exception {
        try (World world = new World()) {
            world.memory.disk("base", 65536);
            world.toyImage("disk", 4096, 65536).backing = new ImageReference("base", "raw");
            try (BlockBackend backend = world.open("disk", "toy")) {
                BlockNode base = backend.root().backing().orElseThrow();
                BlockNode file = backend.root().children().get(0).node();
                try (DrainedSection section = base.drain()) {
                    assertTrue(section.nodes().contains(backend.root()));
                    assertTrue(backend.layer().tracker().isDrained());
                    assertFalse(file.layer().tracker().isDrained());
                }
                assertFalse(backend.layer().tracker().isDrained());
            }
        }
    }

    /** D6: a request that began before the drain may still need the nodes below. */
    @Test
    void runningRequestsFinishThroughDrainedChildren() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, 65536);
            CountDownLatch inWrite = new CountDownLatch(1);
            CountDownLatch goOn = new CountDownLatch(1);
            try (BlockBackend backend = world.open("disk", "toy")) {
                world.disk("disk").hook = (operation, offset, length) -> {
                    inWrite.countDown();
                    try {
                        goOn.await();
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                };
                // Three clusters: three writes below, of which two begin after the drain has.
                Thread writer = Thread.ofVirtual().start(() -> {
                    try {
                        backend.write(0, MemorySegment.ofArray(new byte[3 * 4096]));
                    } catch (BlockException e) {
                        throw new AssertionError(e);
                    }
                });
                inWrite.await();
                Thread drainer =
                        Thread.ofPlatform().start(() -> world.graph.drainAll().close());
                Thread.sleep(50);
                assertTrue(drainer.isAlive());
                goOn.countDown();
                writer.join();
                drainer.join();
                assertEquals(3, world.disk("disk").writes.get());
            }
        }
    }

    /** D9, and the misuse of ends. */
    @Test
    void misuseIsReported() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, 65536);
            try (BlockBackend backend = world.open("disk", "toy")) {
                AtomicReference<Throwable> refused = new AtomicReference<>();
                world.disk("disk").hook = (operation, offset, length) -> {
                    try {
                        backend.drain().close();
                    } catch (IllegalStateException e) {
                        refused.set(e);
                    }
                };
                backend.write(0, MemorySegment.ofArray(new byte[10]));
                assertTrue(String.valueOf(refused.get()).contains("inside one of its requests"));
                world.disk("disk").hook = (operation, offset, length) -> {};
                DrainedSection section = backend.drain();
                assertThrows(IllegalStateException.class, () -> backend.read(0, MemorySegment.ofArray(new byte[10])));
                section.close();
                assertThrows(IllegalStateException.class, section::close);
                backend.read(0, MemorySegment.ofArray(new byte[10]));
            }
        }
    }

    /** Nodes that are opened inside drain-all stand still as well, and are released with it. */
    @Test
    void newNodesInheritDrainAll() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, 65536);
            BlockBackend backend;
            DrainedSection all = world.graph.drainAll();
            backend = world.open("disk", "toy");
            assertTrue(backend.layer().tracker().isDrained());
            all.close();
            assertFalse(backend.layer().tracker().isDrained());
            backend.read(0, MemorySegment.ofArray(new byte[10]));
            DrainedSection closingInside = world.graph.drainAll();
            backend.close();
            closingInside.close();
            assertEquals(0, world.graph.nodes().size());
        }
    }
}
