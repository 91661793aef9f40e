package dev.ashlar.core;

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
}
