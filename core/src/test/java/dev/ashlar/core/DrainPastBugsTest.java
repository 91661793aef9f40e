package dev.ashlar.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.toy.MemoryDisk;
import dev.ashlar.core.toy.ToyInstance;
import dev.ashlar.core.toy.World;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What block layers got wrong in their drains over the years, a case each, and what this one asserts in code. */
@Timeout(60)
class DrainPastBugsTest {
    private final World world = new World();

    @AfterEach
    void nothingLeaks() throws BlockException {
        world.close();
        assertEquals(0, world.graph.nodes().size());
        for (MemoryDisk disk : world.memory.disks.values()) {
            assertEquals(0, disk.openInstances, disk.name);
        }
    }

    private BlockBackend open(String name) throws BlockException {
        world.toyImage(name, 4096, 65536);
        return world.graph.open(name, OpenOptions.readWrite().format("toy").nodeName(name));
    }

    private BlockNode filterOver(BlockNode below) throws BlockException {
        return world.graph.openNode(
                null, OpenOptions.readWrite().driverOptions(Map.of("driver", "pass", "file", below.name())));
    }

    private static ToyInstance toy(BlockNode node) {
        return node.capability(ToyInstance.class).orElseThrow();
    }

    private static void read(BlockBackend backend) throws BlockException {
        backend.read(0, MemorySegment.ofArray(new byte[10]));
    }

    /** D5, G4: polling inside begin or end while the graph changes. A callback that waits, drains or changes is refused, and harms nobody. */
    @Test
    void pollingInsideBeginAndEnd() throws Exception {
        BlockBackend disk = open("disk");
        BlockBackend other = open("other");
        BlockNode otherRoot = other.root();
        Runnable[] misdeeds = {
            () -> other.drain().close(),
            () -> world.graph.drainAll().close(),
            world.graph::nodes,
            () -> unchecked(() -> read(other)),
            () -> unchecked(() -> world.graph.attach(null, otherRoot, false)),
            () -> unchecked(() -> world.graph.closeNode(otherRoot)),
            () -> unchecked(other::close),
            () -> unchecked(() -> otherRoot.<Boolean>whileDrained(() -> true)),
            () -> unchecked(
                    () -> world.graph.transaction().setReadOnly(otherRoot, true).commit()),
        };
        for (Runnable misdeed : misdeeds) {
            toy(disk.root()).onDrain = misdeed;
            Throwable refused = assertThrows(Throwable.class, disk::drain);
            assertTrue(
                    refused instanceof IllegalStateException || refused instanceof AssertionError,
                    String.valueOf(refused));
            assertTrue(refused.getMessage().contains("D5"), String.valueOf(refused));
            toy(disk.root()).onDrain = null;
            assertFalse(disk.layer().tracker().isDrained());
            assertFalse(disk.root().children().get(0).node().layer().tracker().isDrained());
            read(disk);
            DrainedSection section = disk.drain();
            toy(disk.root()).onDrain = misdeed;
            assertThrows(Throwable.class, section::close);
            toy(disk.root()).onDrain = null;
            assertFalse(disk.layer().tracker().isDrained());
            read(disk);
        }
        read(other);
    }

    private interface Deed {
        void run() throws BlockException;
    }

    private static void unchecked(Deed deed) {
        try {
            deed.run();
        } catch (BlockException e) {
            throw new AssertionError(e);
        }
    }

    /** D8: a node deleted by its own drain: the request it waits for is the last user, who leaves. */
    @Test
    void aNodeDeletedByItsOwnDrain() throws Exception {
        BlockBackend disk = open("disk");
        BlockNode node = disk.root();
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        world.disk("disk").hook = (operation, offset, length) -> {
            inside.countDown();
            await(goOn);
        };
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread user = Thread.ofPlatform().start(() -> {
            try {
                disk.write(0, MemorySegment.ofArray(new byte[10]));
                disk.close();
            } catch (Throwable e) {
                failure.set(e);
            }
        });
        inside.await();
        world.disk("disk").hook = (operation, offset, length) -> {};
        Thread helper = Thread.ofPlatform().start(() -> {
            while (!node.layer().tracker().isDrained()) {
                Thread.onSpinWait();
            }
            goOn.countDown();
        });
        try (DrainedSection section = node.drain()) {
            user.join();
            assertEquals(null, failure.get());
            assertTrue(world.graph.node("disk").isEmpty());
            assertFalse(section.nodes().contains(node));
        }
        helper.join();
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(30, TimeUnit.SECONDS));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** D2, D4: an end called on a parent, or on a driver, that was not drained after a replace. */
    @Test
    void anEndForWhoWasNotDrained() throws Exception {
        BlockBackend disk = open("disk");
        BlockNode base = disk.root();
        BlockNode file = base.children().get(0).node();
        BlockNode deep = filterOver(file);
        DrainedSection section = file.drain();
        ToyInstance before = toy(base);
        assertEquals(1, before.drainDepth.get());
        // The driver is opened again inside the drain: the new instance hears of the drain before it hears of its end.
        world.graph.transaction().insert(file, deep).commit();
        ToyInstance fresh = toy(base);
        assertTrue(fresh != before);
        assertEquals(1, fresh.drainDepth.get());
        world.graph.transaction().remove(deep).commit();
        // And a user that is led away from the drained node: it resumes once, and is not ended twice.
        BlockBackend other = open("other");
        world.graph.transaction().replace(base, other.root()).commit();
        assertFalse(other.layer().tracker().isDrained());
        read(disk);
        section.close();
        assertFalse(other.layer().tracker().isDrained());
        assertEquals(0, toy(other.root()).drainDepth.get());
        disk.close();
        other.close();
        world.graph.closeNode(deep);
    }

    /** D4: attach to a drained node: who comes stands still at once, also a whole new tree, and resumes with the end. */
    @Test
    void attachToADrainedNode() throws Exception {
        BlockBackend disk = open("disk");
        DrainedSection section = disk.drain();
        BlockBackend guest = world.graph.attach("guest", disk.root(), false);
        BlockNode filter = filterOver(disk.root());
        assertTrue(filter.layer().tracker().isDrained());
        CountDownLatch done = new CountDownLatch(2);
        for (BlockBackend user : new BlockBackend[] {guest, world.graph.attach("above", filter, false)}) {
            Thread.ofVirtual().start(() -> {
                unchecked(() -> read(user));
                done.countDown();
            });
        }
        assertFalse(done.await(50, TimeUnit.MILLISECONDS));
        section.close();
        assertTrue(done.await(30, TimeUnit.SECONDS));
        assertFalse(filter.layer().tracker().isDrained());
    }

    /** D1, D6: drain of a node used by another thread, which is in the middle of a request and begins the next one. */
    @Test
    void drainOfANodeUsedByAnotherThread() throws Exception {
        BlockBackend disk = open("disk");
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        world.disk("disk").hook = (operation, offset, length) -> {
            inside.countDown();
            await(goOn);
        };
        Thread user = Thread.ofVirtual()
                .start(() -> unchecked(() -> {
                    disk.write(0, MemorySegment.ofArray(new byte[3 * 4096]));
                    disk.write(4096, MemorySegment.ofArray(new byte[10]));
                }));
        inside.await();
        AtomicReference<DrainedSection> begun = new AtomicReference<>();
        Thread drainer = Thread.ofPlatform().start(() -> begun.set(disk.drain()));
        drainer.join(50);
        assertTrue(drainer.isAlive(), "D1: begun with a request under way");
        goOn.countDown();
        drainer.join();
        assertEquals(3, world.disk("disk").writes.get(), "D6: what began before ended, what came after waits");
        user.join(50);
        assertTrue(user.isAlive());
        begun.get().close();
        user.join();
        assertEquals(4, world.disk("disk").writes.get());
    }

    /** G4: a drain under the graph lock is refused, and so is a second lock (G3); the lock is free afterwards. */
    @Test
    void aDrainUnderTheGraphLock() throws Exception {
        BlockBackend disk = open("disk");
        try (GraphLock.Locked locked = world.graph.lock().lock()) {
            locked.requireValid();
            assertThrows(IllegalStateException.class, disk::drain);
            assertThrows(IllegalStateException.class, () -> disk.root().drainSubtree());
            assertThrows(IllegalStateException.class, world.graph::nodes);
        }
        assertFalse(world.graph.lock().isHeld());
        disk.drain().close();
    }

    /** G1: an I/O task does not change the graph, and nobody does without the change lock. */
    @Test
    void requestsDoNotChangeTheGraph() throws Exception {
        BlockBackend disk = open("disk");
        BlockNode node = disk.root();
        AtomicReference<Throwable> refused = new AtomicReference<>();
        world.disk("disk").hook = (operation, offset, length) -> {
            world.disk("disk").hook = (o, at, bytes) -> {};
            try {
                world.graph.attach(null, node, false);
            } catch (AssertionError e) {
                refused.set(e);
            }
        };
        disk.write(0, MemorySegment.ofArray(new byte[10]));
        assertTrue(String.valueOf(refused.get()).contains("G1"), String.valueOf(refused.get()));
        try (GraphLock.Locked locked = world.graph.lock().lock()) {
            assertThrows(IllegalStateException.class, () -> world.graph.edgesChanged(locked));
        }
    }

    /** G2: edges are walked under the lock. */
    @Test
    void edgesAreWalkedUnderTheLock() throws Exception {
        BlockBackend disk = open("disk");
        BlockNode file = disk.root().children().get(0).node();
        assertTrue(assertThrows(AssertionError.class, file::parentEdges)
                .getMessage()
                .contains("G2"));
        GraphLock.Locked locked = world.graph.lock().lock();
        assertEquals(1, file.parentEdges().size());
        locked.close();
        assertThrows(IllegalStateException.class, () -> world.graph.known(locked));
    }

    /** F1: a flush that is asked for while another runs covers what completed meanwhile, so it is another one. */
    @Test
    void aFlushCoversWhatCompletedBeforeItBegan() throws Exception {
        BlockBackend disk = open("disk");
        disk.write(0, MemorySegment.ofArray(new byte[4096]));
        CountDownLatch flushing = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        AtomicReference<byte[]> durable = new AtomicReference<>(new byte[0]);
        world.disk("disk").hook = (operation, offset, length) -> {
            if (operation.equals("flush")) {
                byte[] now = world.disk("disk").bytes();
                flushing.countDown();
                await(goOn);
                durable.set(now);
            }
        };
        Thread first = Thread.ofPlatform().start(() -> unchecked(disk::flush));
        flushing.await();
        byte[] late = new byte[4096];
        late[7] = 77;
        disk.write(0, MemorySegment.ofArray(late));
        Thread second = Thread.ofPlatform().start(() -> unchecked(disk::flush));
        second.join(30);
        assertTrue(second.isAlive());
        goOn.countDown();
        first.join();
        second.join();
        assertEquals(77, durable.get()[7], "written and completed before the second flush began");
        assertEquals(2, world.disk("disk").flushes.get());
        world.disk("disk").hook = (operation, offset, length) -> {};
    }

    /** F1: what a user wrote before it was led elsewhere is covered by its next flush there. */
    @Test
    void aFlushReachesWhereTheUserHasBeen() throws Exception {
        BlockBackend disk = open("disk");
        disk.write(0, MemorySegment.ofArray(new byte[4096]));
        world.toyImage("over", 4096, 65536);
        BlockNode overlay = world.graph.openNode(
                "over", OpenOptions.readWrite().driverOptions(Map.of("driver", "toy", "backing", "disk")));
        int before = world.disk("disk").flushes.get();
        world.graph.transaction().replace(disk.root(), overlay).commit();
        disk.flush();
        assertSame(overlay, disk.root());
        assertTrue(world.disk("disk").flushes.get() > before);
    }

    /** G4: who closes while a driver below is being opened again waits for it: its last flush would find nobody there. */
    @Test
    void aNodeIsClosedWhileTheOneBelowIsOpenedAgain() throws Exception {
        BlockBackend disk = open("disk");
        world.toyImage("under", 4096, 65536);
        BlockBackend raw = world.graph.open(OpenOptions.readWrite()
                .driverOptions(Map.of("driver", "raw", "file.driver", "toy", "file.file.filename", "under")));
        SnapshotInfo snapshot = raw.snapshots().create(SnapshotRequest.named("s"));
        closedWhile(
                "disk",
                filterOver(disk.root()),
                () -> world.graph
                        .transaction()
                        .reopen(disk.root(), Map.of("colour", "red"))
                        .commit());
        closedWhile("under", filterOver(raw.root()), () -> raw.snapshots().apply(snapshot));
    }

    /** The deed flushes what it closes; in the middle of that another thread closes the filter. */
    private void closedWhile(String diskName, BlockNode filter, Deed deed) throws Exception {
        AtomicReference<Thread> closer = new AtomicReference<>();
        AtomicReference<Throwable> failure = new AtomicReference<>();
        world.disk(diskName).hook = (operation, offset, length) -> {
            if (!operation.equals("flush") || closer.get() != null) {
                return;
            }
            Thread thread = Thread.ofPlatform().start(() -> {
                try {
                    world.graph.closeNode(filter);
                } catch (Throwable e) {
                    failure.set(e);
                }
            });
            closer.set(thread);
            while (thread.isAlive() && thread.getState() != Thread.State.TIMED_WAITING) {
                Thread.onSpinWait();
            }
        };
        deed.run();
        closer.get().join();
        world.disk(diskName).hook = (operation, offset, length) -> {};
        assertEquals(null, failure.get());
        assertTrue(world.graph.node(filter.name()).isEmpty());
    }

    /** D9: control operations from inside a request are refused before they wait for a lock whose holder waits for the request. */
    @Test
    void aControlOperationFromInsideARequest() throws Exception {
        BlockBackend disk = open("disk");
        world.disk("disk").hook = (operation, offset, length) -> {
            assertThrows(IllegalStateException.class, () -> disk.root().<Boolean>whileDrained(() -> true));
            assertThrows(IllegalStateException.class, disk::close);
            assertThrows(
                    IllegalStateException.class,
                    () -> world.graph
                            .transaction()
                            .setReadOnly(disk.root(), true)
                            .commit());
        };
        disk.write(0, MemorySegment.ofArray(new byte[10]));
        world.disk("disk").hook = (operation, offset, length) -> {};
        disk.write(0, MemorySegment.ofArray(new byte[10]));
    }

    /** G5: a reader stays one: it neither writes nor takes the permission when its node becomes writable again. */
    @Test
    void aReaderStaysAReader() throws Exception {
        BlockBackend disk = open("disk");
        BlockBackend reader = world.graph.attach("reader", disk.root(), false);
        assertThrows(BlockException.class, () -> reader.write(0, MemorySegment.ofArray(new byte[1])));
        world.graph.transaction().setReadOnly(disk.root(), true).commit();
        world.graph.transaction().setReadOnly(disk.root(), false).commit();
        assertThrows(BlockException.class, () -> reader.write(0, MemorySegment.ofArray(new byte[1])));
        try (GraphLock.Locked locked = world.graph.lock().lock()) {
            locked.requireValid();
            for (ChildEdge edge : disk.root().parentEdges()) {
                assertEquals(!edge.isReader(), edge.used().contains(Permission.WRITE));
            }
        }
        disk.write(0, MemorySegment.ofArray(new byte[1]));
    }
}
