package dev.ashlar.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.toy.MemoryDisk;
import dev.ashlar.core.toy.World;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Changes of the graph as a whole, while users go on. */
@Timeout(60)
class GraphTransactionTest {
    private static final int SIZE = 1 << 16;

    private final World world = new World();

    @AfterEach
    void nothingLeaks() throws BlockException {
        world.close();
        assertEquals(0, world.graph.nodes().size());
        for (MemoryDisk disk : world.memory.disks.values()) {
            assertEquals(0, disk.openInstances, disk.name);
        }
    }

    private BlockNode filterOver(String below) throws BlockException {
        return world.graph.openNode(
                null, OpenOptions.readWrite().driverOptions(Map.of("driver", "pass", "file", below)));
    }

    private BlockNode overlayOver(String below, String name) throws BlockException {
        world.toyImage(name, 4096, SIZE);
        return world.graph.openNode(
                name, OpenOptions.readWrite().nodeName(name).driverOptions(Map.of("driver", "toy", "backing", below)));
    }

    /** D4, D6, D7: filters in and out, overlays on top and back, under writers and a queue; each write is found where it belongs. */
    @Test
    void theGraphChangesUnderRequests() throws Exception {
        world.toyImage("disk", 4096, SIZE);
        BlockBackend disk =
                world.graph.open("disk", OpenOptions.readWrite().format("toy").nodeName("base"));
        AtomicBoolean stop = new AtomicBoolean();
        AtomicReference<Throwable> failure = new AtomicReference<>();
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 3; t++) {
            int me = t;
            threads.add((t == 0 ? Thread.ofPlatform() : Thread.ofVirtual()).start(() -> {
                try {
                    byte[] read = new byte[1];
                    for (int i = 0; !stop.get(); i++) {
                        byte value = (byte) i;
                        long offset = me * 4096L + 7 + (i % 3) * 3L * 4096L;
                        disk.write(offset, MemorySegment.ofArray(new byte[] {value}));
                        disk.read(offset, MemorySegment.ofArray(read));
                        assertEquals(value, read[0]);
                    }
                } catch (Throwable e) {
                    failure.compareAndSet(null, e);
                }
            }));
        }
        threads.add(Thread.ofPlatform().start(() -> {
            try (Arena arena = Arena.ofConfined();
                    BlockQueue queue = disk.openQueue(4)) {
                MemorySegment buffer = arena.allocate(4096, 4096);
                for (int i = 0; !stop.get(); i++) {
                    buffer.fill((byte) i);
                    queue.write(12 * 4096, buffer, 1);
                    queue.await(1, (token, result) -> assertEquals(4096, result));
                    buffer.fill((byte) 0);
                    queue.read(12 * 4096, buffer, 2);
                    queue.await(1, (token, result) -> assertEquals(4096, result));
                    assertEquals((byte) i, buffer.get(java.lang.foreign.ValueLayout.JAVA_BYTE, 4095));
                }
            } catch (Throwable e) {
                failure.compareAndSet(null, e);
            }
        }));
        BlockNode base = disk.root();
        BlockNode file = base.children().get(0).node();
        for (int round = 0; round < 15; round++) {
            BlockNode filter = filterOver("base");
            world.graph.transaction().insert(base, filter).commit();
            assertSame(filter, disk.root());
            BlockNode deep = filterOver(file.name());
            world.graph.transaction().insert(file, deep).commit();
            assertSame(deep, base.children().get(0).node());
            world.graph.transaction().remove(filter).remove(deep).commit();
            assertSame(base, disk.root());
            assertSame(file, base.children().get(0).node());
            world.graph.closeNode(filter);
            world.graph.closeNode(deep);
        }
        stop.set(true);
        for (Thread thread : threads) {
            thread.join();
        }
        assertEquals(null, failure.get());
        assertEquals(2, world.graph.nodes().size());
        disk.close();
    }

    /** An external snapshot: the user goes on in a new overlay, the base stays as it was at that moment; and back again. */
    @Test
    void anOverlayTakesTheWritesAndLetsThemGo() throws Exception {
        world.toyImage("disk", 4096, SIZE);
        BlockBackend disk =
                world.graph.open("disk", OpenOptions.readWrite().format("toy").nodeName("base"));
        disk.write(10, MemorySegment.ofArray(new byte[] {1}));
        BlockNode base = disk.root();
        BlockNode overlay = overlayOver("base", "over");
        world.graph.transaction().replace(base, overlay).setReadOnly(base, true).commit();
        assertSame(overlay, disk.root());
        assertTrue(base.isReadOnly());
        byte[] read = new byte[1];
        disk.read(10, MemorySegment.ofArray(read));
        assertEquals(1, read[0]);
        disk.write(10, MemorySegment.ofArray(new byte[] {2}));
        disk.read(10, MemorySegment.ofArray(read));
        assertEquals(2, read[0]);
        try (BlockBackend below = world.graph.attach(null, base, false)) {
            below.read(10, MemorySegment.ofArray(read));
            assertEquals(1, read[0]);
            assertThrows(BlockException.class, () -> below.write(10, MemorySegment.ofArray(read)));
        }
        world.graph
                .transaction()
                .setReadOnly(base, false)
                .replace(overlay, base)
                .commit();
        assertSame(base, disk.root());
        disk.read(10, MemorySegment.ofArray(read));
        assertEquals(1, read[0]);
        disk.write(10, MemorySegment.ofArray(new byte[] {3}));
        world.graph.closeNode(overlay);
        disk.close();
    }

    /** A request held back at a node that its user has left meanwhile is done where the user is (D7). */
    @Test
    void whatWasHeldBackFollowsTheUser() throws Exception {
        world.toyImage("disk", 4096, SIZE);
        BlockBackend disk =
                world.graph.open("disk", OpenOptions.readWrite().format("toy").nodeName("base"));
        BlockNode overlay = overlayOver("base", "over");
        int before = world.disk("disk").writes.get();
        DrainedSection section = disk.drain();
        CountDownLatch asking = new CountDownLatch(1);
        Thread writer = Thread.ofPlatform().start(() -> {
            asking.countDown();
            try {
                disk.write(5000, MemorySegment.ofArray(new byte[] {9}));
            } catch (BlockException e) {
                throw new AssertionError(e);
            }
        });
        asking.await();
        Thread.sleep(30);
        world.graph.transaction().replace(disk.root(), overlay).commit();
        assertTrue(writer.isAlive());
        // D4: who came to stand above the drained node stands still as well.
        assertTrue(overlay.layer().tracker().isDrained());
        assertTrue(section.nodes().contains(overlay));
        section.close();
        assertFalse(overlay.layer().tracker().isDrained());
        writer.join();
        assertEquals(before, world.disk("disk").writes.get());
        assertTrue(world.disk("over").writes.get() > 0);
        disk.close();
    }

    /** G5: a change that is refused leaves everything as before, drivers and drains included. */
    @Test
    void refusedChangesLeaveNoTrace() throws Exception {
        world.toyImage("disk", 4096, SIZE);
        BlockBackend disk =
                world.graph.open("disk", OpenOptions.readWrite().format("toy").nodeName("base"));
        BlockNode base = disk.root();
        BlockNode file = base.children().get(0).node();
        BlockNode filter = filterOver("base");
        BlockException e = assertThrows(
                BlockException.class,
                () -> world.graph
                        .transaction()
                        .insert(base, filter)
                        .replace(file, filter)
                        .commit());
        assertEquals("Making '" + filter.name() + "' a file child of 'base' would create a cycle", e.getMessage());
        assertSame(base, disk.root());
        assertSame(file, base.children().get(0).node());
        BlockNode deep = filterOver(file.name());
        world.toy.failNextOpens.set(1);
        e = assertThrows(
                BlockException.class,
                () -> world.graph.transaction().insert(file, deep).commit());
        assertEquals(Kind.CORRUPT, e.kind());
        assertSame(file, base.children().get(0).node());
        assertEquals(0, e.getSuppressed().length);
        disk.write(0, MemorySegment.ofArray(new byte[1]));
        assertFalse(base.layer().tracker().isDrained());
        assertThrows(
                IllegalArgumentException.class, () -> world.graph.transaction().replace(base, base));
        assertThrows(
                IllegalArgumentException.class, () -> world.graph.transaction().insert(file, filter));
        disk.close();
    }

    /** The n-th opening fails in the middle of a switch of two images' files: all that was switched and opened again goes back. */
    @Test
    void aSwitchThatFailsHalfWayIsTakenBack() throws Exception {
        world.toyImage("disk", 4096, SIZE);
        world.toyImage("other", 4096, SIZE);
        BlockBackend disk =
                world.graph.open("disk", OpenOptions.readWrite().format("toy").nodeName("base"));
        BlockBackend other =
                world.graph.open("other", OpenOptions.readWrite().format("toy").nodeName("second"));
        BlockNode file = disk.root().children().get(0).node();
        BlockNode otherFile = other.root().children().get(0).node();
        BlockNode deep = filterOver(file.name());
        BlockNode otherDeep = filterOver(otherFile.name());
        for (int failing = 1; failing <= 2; failing++) {
            byte value = (byte) failing;
            disk.write(4096, MemorySegment.ofArray(new byte[] {value}));
            other.write(4096, MemorySegment.ofArray(new byte[] {value}));
            AtomicInteger openings = new AtomicInteger(failing);
            world.toy.refusal = () -> openings.decrementAndGet() == 0;
            BlockException e = assertThrows(
                    BlockException.class,
                    () -> world.graph
                            .transaction()
                            .insert(file, deep)
                            .insert(otherFile, otherDeep)
                            .commit());
            world.toy.refusal = () -> false;
            assertEquals(Kind.CORRUPT, e.kind());
            assertEquals(0, e.getSuppressed().length);
            // With what went wrong: each driver that was opened over the new child, and each that was closed, over the
            // old one.
            assertEquals(-2, openings.get());
            for (BlockBackend user : List.of(disk, other)) {
                BlockNode root = user.root();
                assertTrue(root.isInserted());
                assertFalse(root.layer().tracker().isDrained());
                assertEquals(
                        user == disk ? file : otherFile, root.children().get(0).node());
                byte[] read = new byte[1];
                user.read(4096, MemorySegment.ofArray(read));
                assertEquals(value, read[0]);
                user.write(4096, MemorySegment.ofArray(new byte[] {9}));
                user.flush();
            }
            assertEquals(1, world.toy.images.get("disk").openInstances.get());
            assertEquals(1, world.toy.images.get("other").openInstances.get());
            edgesAre(file, disk.root(), deep);
            edgesAre(deep);
            edgesAre(otherFile, other.root(), otherDeep);
            edgesAre(otherDeep);
        }
        world.graph
                .transaction()
                .insert(file, deep)
                .insert(otherFile, otherDeep)
                .commit();
        assertSame(deep, disk.root().children().get(0).node());
        edgesAre(deep, disk.root());
        edgesAre(file, deep);
    }

    /** Who stands above a node, in any order. */
    private void edgesAre(BlockNode node, BlockNode... parents) {
        try (GraphLock.Locked locked = world.graph.lock().lock()) {
            locked.requireValid();
            Set<BlockNode> found = new HashSet<>();
            for (ChildEdge edge : node.parentEdges()) {
                assertTrue(found.add(edge.parent()));
                assertTrue(edge.node() == node);
            }
            assertEquals(Set.of(parents), found);
        }
    }

    /** A driver that can't be opened again either way is gone; the one beside it is as before, and nothing stays drained. */
    @Test
    void aSwitchThatCantBeTakenBackCostsOneDriverOnly() throws Exception {
        world.toyImage("disk", 4096, SIZE);
        try (BlockBackend writer =
                world.graph.open("disk", OpenOptions.readWrite().format("toy"))) {
            writer.write(0, MemorySegment.ofArray(new byte[] {7}));
        }
        BlockBackend one =
                world.graph.open("disk", OpenOptions.readOnly().format("toy").nodeName("one"));
        BlockNode file = one.root().children().get(0).node();
        BlockBackend two = world.graph.open(
                OpenOptions.readOnly().nodeName("two").driverOptions(Map.of("driver", "toy", "file", file.name())));
        BlockNode filter = world.graph.openNode(
                null, OpenOptions.readOnly().driverOptions(Map.of("driver", "pass", "file", file.name())));
        // The second driver, over the new child and over the old one.
        AtomicInteger openings = new AtomicInteger();
        world.toy.refusal = () -> openings.incrementAndGet() == 2 || openings.get() == 3;
        BlockException e = assertThrows(
                BlockException.class,
                () -> world.graph.transaction().insert(file, filter).commit());
        world.toy.refusal = () -> false;
        assertEquals(1, e.getSuppressed().length, "the failed undo is told as well");
        byte[] read = new byte[1];
        one.read(0, MemorySegment.ofArray(read));
        assertEquals(7, read[0]);
        assertFalse(two.root().isInserted());
        assertFalse(two.root().layer().tracker().isDrained());
        assertEquals(
                Kind.CLOSED,
                assertThrows(BlockException.class, () -> two.read(0, MemorySegment.ofArray(read)))
                        .kind());
        assertEquals(1, world.toy.images.get("disk").openInstances.get());
        edgesAre(file, one.root(), two.root(), filter);
    }

    /** A node that someone writes to does not become read-only under it unless it may; files follow their image. */
    @Test
    void readOnlyAndBack() throws Exception {
        world.toyImage("disk", 4096, SIZE);
        BlockBackend disk = world.open("disk", "toy");
        BlockNode root = disk.root();
        BlockNode file = root.children().get(0).node();
        for (int i = 0; i < 3; i++) {
            disk.write(i, MemorySegment.ofArray(new byte[] {1}));
            world.graph.transaction().setReadOnly(root, true).commit();
            assertTrue(disk.isReadOnly() && file.isReadOnly());
            assertThrows(BlockException.class, () -> disk.write(0, MemorySegment.ofArray(new byte[1])));
            disk.read(0, MemorySegment.ofArray(new byte[1]));
            // Another writer of the file, as from another process, keeps writing from coming back.
            BlockBackend other = world.graph.open("disk", OpenOptions.readOnly().format("toy"));
            BlockException e = assertThrows(
                    BlockException.class,
                    () -> world.graph.transaction().setReadOnly(root, false).commit());
            assertEquals(Kind.LOCKED, e.kind());
            assertTrue(disk.isReadOnly() && file.isReadOnly());
            other.close();
            world.graph.transaction().setReadOnly(root, false).commit();
            assertFalse(disk.isReadOnly() || file.isReadOnly());
        }
        assertEquals(1, world.disk("disk").openInstances);
        disk.close();
    }
}
