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
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.toy.World;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class SnapshotsTest {
    private record Kept(SnapshotInfo info, byte[] content) {}

    /** Rows 1, 2, 6, 7, 8, 9: a disk with snapshots against arrays of bytes. */
    @Property(tries = 20)
    void snapshotsKeepWhatWasThere(@ForAll long seed) throws Exception {
        Random random = new Random(seed);
        int size = 60_000;
        try (World world = new World()) {
            world.toyImage("disk", 4096, size);
            try (BlockBackend backend = world.open("disk", "toy")) {
                byte[] model = new byte[size];
                List<Kept> kept = new ArrayList<>();
                Snapshots snapshots = backend.snapshots();
                for (int i = 0; i < 60; i++) {
                    switch (random.nextInt(8)) {
                        case 0 -> {
                            SnapshotInfo info = snapshots.create(
                                    new SnapshotRequest("id" + i, "s" + i, 0, 1, 0, 0, java.util.OptionalLong.empty()));
                            kept.add(new Kept(info, model.clone()));
                        }
                        case 1 -> {
                            if (!kept.isEmpty()) {
                                Kept one = kept.get(random.nextInt(kept.size()));
                                snapshots.apply(one.info());
                                System.arraycopy(one.content(), 0, model, 0, size);
                            }
                        }
                        case 2 -> {
                            if (!kept.isEmpty()) {
                                snapshots.delete(
                                        kept.remove(random.nextInt(kept.size())).info());
                            }
                        }
                        default -> {
                            byte[] bytes = new byte[random.nextInt(5000)];
                            random.nextBytes(bytes);
                            int offset = random.nextInt(size - bytes.length);
                            backend.write(offset, MemorySegment.ofArray(bytes));
                            System.arraycopy(bytes, 0, model, offset, bytes.length);
                        }
                    }
                    assertEquals(kept.stream().map(Kept::info).toList(), snapshots.list());
                }
                assertArrayEquals(model, RequestPathTest.readAll(backend));
                // Row 9: all of them at once, beside the live disk.
                List<BlockBackend> views = new ArrayList<>();
                for (Kept one : kept) {
                    views.add(snapshots.open(one.info()));
                }
                for (int i = 0; i < kept.size(); i++) {
                    assertArrayEquals(kept.get(i).content(), RequestPathTest.readAll(views.get(i)));
                    assertTrue(views.get(i).isReadOnly());
                }
                for (BlockBackend view : views) {
                    view.close();
                }
            }
            assertEquals(0, world.graph.nodes().size());
        }
    }

    @Test
    void findingThem() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, 8192);
            try (BlockBackend backend = world.open("disk", "toy")) {
                Snapshots snapshots = backend.snapshots();
                SnapshotInfo one = snapshots.create(SnapshotRequest.named("2"));
                SnapshotInfo two = snapshots.create(SnapshotRequest.named("two"));
                assertEquals("2", two.id());
                assertEquals(two, snapshots.findByIdOrName("2").orElseThrow(), "ids go before names");
                assertEquals(one, snapshots.findByName("2").orElseThrow());
                assertEquals(two, snapshots.find("2", "two").orElseThrow());
                assertTrue(snapshots.find("1", "two").isEmpty());
                assertTrue(snapshots.findByIdOrName("three").isEmpty());
                assertThrows(IllegalArgumentException.class, () -> snapshots.find(null, null));
                snapshots.delete(one);
                BlockException e = assertThrows(BlockException.class, () -> snapshots.delete(one));
                assertEquals(Kind.NOT_FOUND, e.kind());
                assertTrue(e.getMessage().startsWith("Snapshot with id '1' and name '2' does not exist on device"));
            }
        }
    }

    /** Rows 4 and 5: through filter and raw to the one child that has them; not past a second child with content. */
    @Test
    void theFallbackChildIsAsked() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, 8192);
            OpenOptions options = OpenOptions.readWrite()
                    .driverOptions(Map.of(
                            "driver",
                            "raw",
                            "file.driver",
                            "pass",
                            "file.file.driver",
                            "toy",
                            "file.file.file.filename",
                            "disk"));
            try (BlockBackend backend = world.graph.open("", options)) {
                assertEquals(4, world.graph.nodes().size());
                Snapshots snapshots = backend.snapshots();
                assertTrue(snapshots.isSupported());
                byte[] before = new byte[8192];
                Arrays.fill(before, (byte) 3);
                backend.write(0, MemorySegment.ofArray(before));
                SnapshotInfo info = snapshots.create(SnapshotRequest.named("s"));
                backend.write(0, MemorySegment.ofArray(new byte[5000]));
                assertEquals(List.of(info), snapshots.list());
                snapshots.apply(info);
                assertArrayEquals(before, RequestPathTest.readAll(backend));
                snapshots.delete(info);
            }
        }
    }

    @Test
    void nodesWithoutSnapshots() throws Exception {
        try (World world = new World()) {
            world.memory.disk("bare", 8192);
            world.toyImage("disk", 4096, 8192).backing = new ImageReference("bare", "raw");
            try (BlockBackend bare = world.open("bare", "raw")) {
                assertFalse(bare.snapshots().isSupported());
                BlockException e = assertThrows(
                        BlockException.class, () -> bare.snapshots().list());
                assertEquals(Kind.UNSUPPORTED, e.kind());
            }
            try (BlockBackend reading =
                    world.graph.open("disk", OpenOptions.readOnly().format("toy"))) {
                assertFalse(reading.snapshots().isSupported());
                assertEquals(
                        Kind.READ_ONLY,
                        assertThrows(
                                        BlockException.class,
                                        () -> reading.snapshots().create(SnapshotRequest.named("s")))
                                .kind());
            }
        }
    }

    /** A view keeps the image open; a snapshot is taken while requests fly, and the tables are never touched then. */
    @Test
    void snapshotsWhileOthersWrite() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, 1 << 17);
            BlockBackend backend = world.open("disk", "toy");
            Thread writer = Thread.ofPlatform().start(() -> {
                Random random = new Random(1);
                try {
                    for (int i = 0; i < 3000; i++) {
                        backend.write(random.nextInt(1 << 16), MemorySegment.ofArray(new byte[random.nextInt(9000)]));
                    }
                } catch (BlockException e) {
                    throw new AssertionError(e);
                }
            });
            while (writer.isAlive()) {
                SnapshotInfo info = backend.snapshots().create(SnapshotRequest.named("s"));
                if (backend.snapshots().list().size() > 5) {
                    backend.snapshots().apply(info);
                    backend.snapshots().delete(info);
                }
            }
            writer.join();
            BlockBackend view =
                    backend.snapshots().open(backend.snapshots().list().get(0));
            backend.close();
            view.read(0, MemorySegment.ofArray(new byte[100]));
            assertTrue(world.graph.nodes().size() > 0);
            view.close();
            assertEquals(0, world.graph.nodes().size());
        }
    }
}
