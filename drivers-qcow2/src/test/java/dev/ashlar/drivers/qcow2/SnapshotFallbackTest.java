package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.ChildRole;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.core.bitmap.NodeBitmaps;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.testkit.protocol.FaultProtocol.Damage;
import dev.ashlar.testkit.protocol.FaultProtocol.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Row 7 through the fallback child: every shape of nodes above an image, and everything that can go wrong on the way. */
@Timeout(60)
class SnapshotFallbackTest {
    private static final List<String[]> SHAPES = List.of(
            new String[] {"qcow2"},
            new String[] {"plain", "qcow2"},
            new String[] {"pass", "qcow2"},
            new String[] {"plain", "pass", "qcow2"},
            new String[] {"pass", "plain", "qcow2"},
            new String[] {"plain", "plain", "qcow2"},
            new String[] {"pass", "pass", "plain", "qcow2"});

    @Test
    void everyShapeGoesBack() throws Exception {
        for (String[] shape : SHAPES) {
            String text = String.join("/", shape);
            try (Disks disks = new Disks().create("disk")) {
                try (BlockBackend top = disks.openShape("disk", shape)) {
                    Disks.fill(top, 1);
                    SnapshotInfo info = Disks.create(top.snapshots(), "s");
                    Disks.fill(top, 2);
                    List<BlockNode> nodes = disks.graph.nodes();
                    int opened = disks.plain.openings.size() + disks.pass.openings.size();
                    top.snapshots().apply(info);
                    assertEquals(1, Disks.value(top), text);
                    assertEquals(nodes, disks.graph.nodes(), text);
                    assertEquals(
                            opened + shape.length - 1,
                            disks.plain.openings.size() + disks.pass.openings.size(),
                            "each driver above was opened again once");
                    assertEquals(1, top.root().children().size());
                    Disks.fill(top, 3);
                    top.snapshots().apply(info);
                    assertEquals(1, Disks.value(top), text);
                    top.snapshots().delete(info);
                    disks.restart();
                    try (BlockBackend below = disks.open("disk")) {
                        Disks.requireSound(below, false);
                    }
                }
                assertEquals(List.of(), disks.graph.nodes(), text);
                assertEquals(0, disks.plain.openNow.get() + disks.pass.openNow.get(), text);
            }
        }
    }

    /** The parent's driver looks anew: a size that it took when it opened is the reverted one's afterwards. */
    @Test
    void theParentSeesTheNewSize() throws Exception {
        try (Disks disks = new Disks().create("disk")) {
            SnapshotInfo small;
            try (BlockBackend below = disks.open("disk")) {
                small = Disks.create(below.snapshots(), "small");
                below.resize(3 * Disks.SIZE, Preallocation.OFF);
            }
            try (BlockBackend top = disks.openShape("disk", "plain", "qcow2")) {
                assertEquals(3 * Disks.SIZE, top.lengthBytes());
                top.snapshots().apply(small);
                assertEquals(Disks.SIZE, top.lengthBytes());
            }
        }
    }

    @Test
    void sameOptionsAgain() throws Exception {
        try (Disks disks = new Disks().create("disk");
                BlockBackend top = disks.graph.open(
                        "",
                        OpenOptions.readWrite()
                                .driverOptions(java.util.Map.of(
                                        "driver",
                                        "plain",
                                        "tint",
                                        "blue",
                                        "file.driver",
                                        "qcow2",
                                        "file.file.driver",
                                        "memory",
                                        "file.file.filename",
                                        "disk")))) {
            top.snapshots().apply(Disks.create(top.snapshots(), "s"));
            assertEquals(2, disks.plain.openings.size());
            assertEquals(disks.plain.openings.get(0), disks.plain.openings.get(1));
            assertEquals("blue", disks.plain.openings.get(1).get("tint"));
        }
    }

    @Test
    void aSecondChildWithContentForbidsIt() throws Exception {
        try (Disks disks = new Disks().create("disk").create("other")) {
            disks.plain.secondFile = "other";
            disks.plain.secondRoles = Set.of(ChildRole.DATA);
            SnapshotInfo info;
            try (BlockBackend below = disks.open("other")) {
                info = Disks.create(below.snapshots(), "s");
            }
            try (BlockBackend top = disks.openShape("disk", "plain", "qcow2")) {
                BlockException e =
                        assertThrows(BlockException.class, () -> top.snapshots().apply(info));
                assertEquals("Block driver does not support internal snapshots", e.getMessage());
            }
        }
    }

    /** A second child that only answers for what is not there stays where it is. */
    @Test
    void aBackingChildIsKept() throws Exception {
        try (Disks disks = new Disks().create("disk").create("other")) {
            disks.plain.secondFile = "other";
            disks.plain.secondRoles = Set.of(ChildRole.COW);
            try (BlockBackend top = disks.openShape("disk", "plain", "qcow2")) {
                List<BlockNode> nodes = disks.graph.nodes();
                Disks.fill(top, 1);
                SnapshotInfo info = Disks.create(top.snapshots(), "s");
                Disks.fill(top, 2);
                top.snapshots().apply(info);
                assertEquals(1, Disks.value(top));
                assertEquals(nodes, disks.graph.nodes());
                assertEquals(2, top.root().children().size());
            }
            assertEquals(List.of(), disks.graph.nodes());
        }
    }

    /** The re-opening fails: the node has no driver, says so, and nothing leaks. */
    @Test
    void reopeningFails() throws Exception {
        for (String[] shape : List.of(new String[] {"plain", "qcow2"}, new String[] {"pass", "plain", "qcow2"})) {
            try (Disks disks = new Disks().create("disk")) {
                BlockBackend top = disks.openShape("disk", shape);
                Disks.fill(top, 1);
                SnapshotInfo info = Disks.create(top.snapshots(), "s");
                Disks.fill(top, 2);
                disks.plain.failOpen = true;
                BlockException e =
                        assertThrows(BlockException.class, () -> top.snapshots().apply(info));
                assertEquals(Kind.IO, e.kind());
                assertTrue(e.getMessage().contains("injected: open"), e.getMessage());
                assertTrue(e.getMessage().contains("it has none now"), e.getMessage());
                assertFalse(top.root().isInserted());
                assertEquals(List.of(), top.root().children());
                assertEquals(1, disks.graph.nodes().size(), "the child is closed: nobody needs it");
                assertEquals(0, disks.plain.openNow.get() + disks.pass.openNow.get());
                assertEquals(
                        Kind.CLOSED,
                        assertThrows(BlockException.class, () -> Disks.fill(top, 3))
                                .kind());
                assertEquals(
                        "Block driver is closed",
                        assertThrows(BlockException.class, () -> top.snapshots().apply(info))
                                .getMessage());
                top.close();
                assertEquals(List.of(), disks.graph.nodes());
                disks.plain.failOpen = false;
                try (BlockBackend again = disks.open("disk")) {
                    assertEquals(1, Disks.value(again), "the child was reverted");
                    Disks.requireSound(again, false);
                }
            }
        }
    }

    /** The revert fails and the re-opening works: that error, and the node as before. */
    @Test
    void revertFails() throws Exception {
        try (Disks disks = new Disks().create("disk");
                BlockBackend top = disks.openShape("disk", "pass", "plain", "qcow2")) {
            Disks.fill(top, 1);
            SnapshotInfo info = Disks.create(top.snapshots(), "s");
            Disks.fill(top, 2);
            NodeBitmaps bitmaps = top.snapshots().carrier().orElseThrow().bitmaps();
            DirtyBitmap bitmap = bitmaps.create(null);
            BlockException e =
                    assertThrows(BlockException.class, () -> top.snapshots().apply(info));
            assertEquals("Device has active dirty bitmaps", e.getMessage());
            assertTrue(top.root().isInserted());
            assertEquals(2, Disks.value(top));
            bitmaps.release(bitmap);
            top.snapshots().apply(info);
            assertEquals(1, Disks.value(top));
        }
    }

    /** Both fail: the revert's error wins, the other one is kept beside it. */
    @Test
    void revertAndReopeningFail() throws Exception {
        try (Disks disks = new Disks().create("disk")) {
            BlockBackend top = disks.openShape("disk", "plain", "qcow2");
            Disks.fill(top, 1);
            SnapshotInfo info = Disks.create(top.snapshots(), "s");
            top.flush();
            disks.plain.failOpen = true;
            disks.faults.get("disk").failChange(1, Kind.NO_SPACE, Duration.FOR_EVER, Damage.NONE);
            BlockException e =
                    assertThrows(BlockException.class, () -> top.snapshots().apply(info));
            assertEquals(Kind.NO_SPACE, e.kind());
            assertTrue(e.getSuppressed()[0].getMessage().contains("injected: open"));
            assertFalse(top.root().isInserted());
            disks.faults.get("disk").heal();
            top.close();
            assertEquals(List.of(), disks.graph.nodes());
        }
    }

    /** Other users of the child are not cut off when the parent loses its driver. */
    @Test
    void readersStandStillMeanwhile() throws Exception {
        try (Disks disks = new Disks().create("disk");
                BlockBackend top = disks.openShape("disk", "plain", "qcow2")) {
            Disks.fill(top, 1);
            SnapshotInfo info = Disks.create(top.snapshots(), "s");
            AtomicBoolean stop = new AtomicBoolean();
            Thread reader = Thread.ofPlatform().start(() -> {
                try {
                    while (!stop.get()) {
                        assertEquals(1, Disks.value(top));
                    }
                } catch (BlockException e) {
                    throw new AssertionError(e);
                }
            });
            for (int i = 0; i < 200 && reader.isAlive(); i++) {
                top.snapshots().apply(info);
            }
            assertTrue(reader.isAlive(), "a request met a node without a driver");
            stop.set(true);
            reader.join();
        }
    }
}
