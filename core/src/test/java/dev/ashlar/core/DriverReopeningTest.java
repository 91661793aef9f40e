package dev.ashlar.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.snapshot.Snapshots;
import dev.ashlar.core.toy.ToyImage;
import dev.ashlar.core.toy.World;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A driver that is opened again and finds its bitmaps broken, and views that are opened beside control operations. */
@Timeout(30)
class DriverReopeningTest {
    private final World world = new World();
    private ToyImage image;
    private BlockBackend disk;

    @BeforeEach
    void open() throws BlockException {
        image = world.toyImage("disk", 4096, 65536);
        disk = world.open("disk", "toy");
    }

    @AfterEach
    void nothingLeaks() throws BlockException {
        world.close();
        assertEquals(0, image.openInstances.get());
        assertEquals(0, world.disk("disk").openInstances);
    }

    private void makeReadOnly() throws BlockException {
        world.graph.transaction().setReadOnly(disk.root(), true).commit();
    }

    @Test
    void aRefusedModeLeavesTheFormerDriver() throws Exception {
        world.toy.failNextBitmaps.set(1);
        assertEquals(
                Kind.CORRUPT,
                assertThrows(BlockException.class, this::makeReadOnly).kind());
        assertEquals(1, image.openInstances.get());
        assertTrue(disk.root().isInserted());
        disk.write(0, MemorySegment.ofArray(new byte[] {1}));
    }

    @Test
    void aModeThatCantBeTakenBackLeavesNone() {
        world.toy.failNextBitmaps.set(2);
        assertThrows(BlockException.class, this::makeReadOnly);
        assertEquals(0, image.openInstances.get());
        assertFalse(disk.root().isInserted());
    }

    @Test
    void aDriverThatCantBeOpenedAgainIsTold() {
        world.toy.failNextBitmaps.set(1);
        BlockNode node = disk.root();
        BlockException failure = assertThrows(
                BlockException.class,
                () -> node.<Boolean>whileDrained(() -> node.<Boolean>whileDriverClosed(() -> true)));
        assertTrue(failure.getMessage().contains("it has none now"), failure.getMessage());
        assertEquals(0, image.openInstances.get());
        assertFalse(node.isInserted());
    }

    /** A view waits for the operation under way, and finds what that has left. */
    @Test
    void aViewIsOpenedBeforeOrAfterADeletion() throws Exception {
        Snapshots snapshots = Snapshots.of(disk.root());
        SnapshotInfo snapshot = snapshots.create(new SnapshotRequest("", "s", 0, 0, 0, 0, OptionalLong.empty()));
        AtomicReference<BlockException> refusal = new AtomicReference<>();
        Thread viewer = disk.root().whileControlled(() -> {
            Thread opening = Thread.ofPlatform().start(() -> {
                try {
                    snapshots.open(snapshot).close();
                } catch (BlockException e) {
                    refusal.set(e);
                }
            });
            while (opening.isAlive() && opening.getState() != Thread.State.TIMED_WAITING) {
                Thread.onSpinWait();
            }
            assertTrue(opening.isAlive(), "opened in the middle of a control operation");
            snapshots.delete(snapshot);
            return opening;
        });
        viewer.join();
        assertEquals(Kind.NOT_FOUND, refusal.get().kind());
    }

    /** What would open the node's driver again is refused while a view reads through it, and harms neither; afterwards it goes. */
    @Test
    @SuppressWarnings("try") // one of two views is closed early
    void noDriverIsOpenedAgainUnderAView() throws Exception {
        BlockNode node = disk.root();
        BlockNode file = node.children().get(0).node();
        BlockNode filter = world.graph.openNode(
                null, OpenOptions.readWrite().driverOptions(Map.of("driver", "pass", "file", file.name())));
        List<Deed> deeds = List.of(
                () -> world.graph.transaction().setReadOnly(node, true).commit(),
                () -> world.graph.transaction().setReadOnly(node, false).commit(),
                () -> world.graph
                        .transaction()
                        .reopen(node, Map.of("an", "option"))
                        .commit(),
                () -> node.<Boolean>whileDrained(() -> node.whileDriverClosed(() -> true)),
                () -> world.graph.transaction().insert(file, filter).commit(),
                () -> world.graph.transaction().remove(filter).commit(),
                () -> world.graph.transaction().replace(file, filter).commit());
        Snapshots snapshots = Snapshots.of(node);
        for (int i = 0; i < deeds.size(); i++) {
            disk.write(100, MemorySegment.ofArray(new byte[] {(byte) i}));
            SnapshotInfo snapshot = snapshots.create(SnapshotRequest.named("s" + i));
            disk.write(100, MemorySegment.ofArray(new byte[] {99}));
            Deed deed = deeds.get(i);
            try (BlockBackend view = snapshots.open(snapshot);
                    BlockBackend another = snapshots.open(snapshot)) {
                if (i != 1) {
                    // That one asks for what is so already.
                    BlockException refused = assertThrows(BlockException.class, deed::run, "deed " + i);
                    assertEquals(Kind.BUSY, refused.kind(), refused.getMessage());
                    assertEquals(
                            "Node '" + node.name() + "' can't be opened again while a snapshot of it is open",
                            refused.getMessage());
                    assertEquals(0, refused.getSuppressed().length);
                }
                another.close();
                byte[] read = new byte[1];
                view.read(100, MemorySegment.ofArray(read));
                assertEquals(i, read[0]);
                disk.write(100, MemorySegment.ofArray(new byte[] {98}));
                view.read(100, MemorySegment.ofArray(read));
                assertEquals(i, read[0]);
            }
            deed.run();
            if (i == 0) {
                world.graph.transaction().setReadOnly(node, false).commit();
            }
        }
        assertEquals(1, image.openInstances.get());
        byte[] read = new byte[1];
        disk.read(100, MemorySegment.ofArray(read));
        assertEquals(98, read[0]);
    }

    private interface Deed {
        void run() throws BlockException;
    }

    /** Row 7: applying through a driver above closes that one only; the view goes on. */
    @Test
    void aViewSurvivesAnApplyThroughTheFallback() throws Exception {
        world.toyImage("below", 4096, 65536);
        try (BlockBackend above = world.graph.open(OpenOptions.readWrite()
                .driverOptions(Map.of("driver", "raw", "file.driver", "toy", "file.file.filename", "below")))) {
            above.write(0, MemorySegment.ofArray(new byte[] {1}));
            SnapshotInfo first = above.snapshots().create(SnapshotRequest.named("first"));
            above.write(0, MemorySegment.ofArray(new byte[] {2}));
            SnapshotInfo second = above.snapshots().create(SnapshotRequest.named("second"));
            try (BlockBackend view = above.snapshots().open(second)) {
                above.snapshots().apply(first);
                above.write(1, MemorySegment.ofArray(new byte[] {3}));
                byte[] read = new byte[2];
                view.read(0, MemorySegment.ofArray(read));
                assertArrayEquals(new byte[] {2, 0}, read);
                above.read(0, MemorySegment.ofArray(read));
                assertArrayEquals(new byte[] {1, 3}, read);
            }
        }
    }
}
