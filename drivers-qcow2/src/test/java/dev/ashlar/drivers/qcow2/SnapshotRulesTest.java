package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.ChildRole;
import dev.ashlar.core.DrainedSection;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.VmState;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.snapshot.SnapshotSelector;
import dev.ashlar.core.snapshot.Snapshots;
import dev.ashlar.core.spi.Preallocation;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

/** What snapshots of one node must do, a test per row of the list of capabilities (rows 1 to 12). */
@Timeout(60)
class SnapshotRulesTest {
    private static BlockException fails(Kind kind, String message, Executable executable) {
        BlockException e = assertThrows(BlockException.class, executable);
        assertEquals(message, e.getMessage());
        assertEquals(kind, e.kind());
        return e;
    }

    /** A node whose driver could not be opened again: without a medium. */
    private static BlockBackend withoutMedium(Disks disks) throws Exception {
        disks.create("gone");
        BlockBackend top = disks.openShape("gone", "plain", "qcow2");
        SnapshotInfo info = Disks.create(top.snapshots(), "s");
        disks.plain.failOpen = true;
        assertThrows(BlockException.class, () -> top.snapshots().apply(info));
        return top;
    }

    @Test
    void row01_list() throws Exception {
        try (Disks disks = new Disks().create("disk");
                BlockBackend backend = disks.open("disk")) {
            Snapshots snapshots = backend.snapshots();
            SnapshotRequest request =
                    new SnapshotRequest("7", "first", 0, 4_000_000_000L, 999_999_999, 1L << 40, OptionalLong.of(5));
            snapshots.create(request);
            backend.resize(2 * Disks.SIZE, Preallocation.OFF);
            snapshots.create(new SnapshotRequest("", "second", 0, 1, 2, 3, OptionalLong.empty()));
            assertEquals(
                    List.of(
                            new SnapshotInfo(
                                    "7",
                                    "first",
                                    0,
                                    4_000_000_000L,
                                    999_999_999,
                                    1L << 40,
                                    OptionalLong.of(5),
                                    Disks.SIZE),
                            new SnapshotInfo("8", "second", 0, 1, 2, 3, OptionalLong.empty(), 2 * Disks.SIZE)),
                    snapshots.list());
        }
        try (Disks disks = new Disks()) {
            disks.create("disk");
            BlockBackend bare = disks.graph.open(
                    "disk", OpenOptions.readWrite().format("plain").nodeName("bare"));
            fails(
                    Kind.UNSUPPORTED,
                    "Block driver 'plain' does not support internal snapshots",
                    () -> bare.snapshots().list());
            BlockBackend gone = withoutMedium(disks);
            fails(
                    Kind.NO_MEDIUM,
                    "Device 'top' has no medium",
                    () -> gone.snapshots().list());
        }
    }

    @Test
    void row02_findByName() throws Exception {
        try (Disks disks = new Disks().create("disk");
                BlockBackend backend = disks.open("disk")) {
            Snapshots snapshots = backend.snapshots();
            assertTrue(snapshots.findByName("twin").isEmpty());
            SnapshotInfo first = Disks.create(snapshots, "twin");
            Disks.create(snapshots, "twin");
            assertEquals(first, snapshots.findByName("twin").orElseThrow());
            assertTrue(snapshots.findByName("1").isEmpty(), "an id is no name");
            BlockBackend gone = withoutMedium(disks);
            assertThrows(BlockException.class, () -> gone.snapshots().findByName("s"));
        }
    }

    @Test
    void row03_findByIdAndName() throws Exception {
        try (Disks disks = new Disks().create("disk");
                BlockBackend backend = disks.open("disk")) {
            Snapshots snapshots = backend.snapshots();
            SnapshotInfo one = Disks.create(snapshots, "2");
            SnapshotInfo two = Disks.create(snapshots, "b");
            assertEquals(two, snapshots.find("2", null).orElseThrow());
            assertEquals(one, snapshots.find(null, "2").orElseThrow());
            assertEquals(one, snapshots.find("1", "2").orElseThrow());
            assertTrue(snapshots.find("2", "2").isEmpty());
            assertThrows(IllegalArgumentException.class, () -> snapshots.find(null, null));
            BlockBackend gone = withoutMedium(disks);
            assertEquals(
                    Kind.NO_MEDIUM,
                    assertThrows(BlockException.class, () -> gone.snapshots().find("1", "s"))
                            .kind());
        }
    }

    @Test
    void row04_fallbackChild() throws Exception {
        for (Set<ChildRole> roles :
                List.of(Set.of(ChildRole.DATA), Set.of(ChildRole.METADATA), Set.of(ChildRole.FILTERED))) {
            try (Disks disks = new Disks().create("disk").create("other")) {
                disks.plain.secondFile = "other";
                disks.plain.secondRoles = roles;
                try (BlockBackend top = disks.openShape("disk", "plain", "qcow2")) {
                    assertTrue(top.snapshots().carrier().isEmpty(), roles::toString);
                    assertEquals(
                            Kind.UNSUPPORTED,
                            assertThrows(
                                            BlockException.class,
                                            () -> top.snapshots().list())
                                    .kind());
                }
            }
        }
        try (Disks disks = new Disks().create("disk").create("other")) {
            disks.plain.secondFile = "other";
            disks.plain.secondRoles = Set.of(ChildRole.COW);
            try (BlockBackend top = disks.openShape("disk", "plain", "qcow2")) {
                assertEquals("qcow2", top.snapshots().carrier().orElseThrow().driverName());
            }
        }
        try (Disks disks = new Disks().create("disk");
                BlockBackend top = disks.openShape("disk", "plain", "pass", "plain", "qcow2")) {
            SnapshotInfo info = Disks.create(top.snapshots(), "s");
            assertEquals(List.of(info), top.snapshots().list());
        }
    }

    @Test
    void row05_canSnapshot() throws Exception {
        try (Disks disks = new Disks().create("disk").create("two")) {
            try (BlockBackend reading = disks.openReading("disk")) {
                assertFalse(reading.snapshots().isSupported());
                fails(Kind.READ_ONLY, "Device 'disk' is read only", () -> Disks.create(reading.snapshots(), "s"));
            }
            try (BlockBackend writing = disks.open("disk");
                    BlockBackend top = disks.openShape("two", "plain", "pass", "qcow2")) {
                assertTrue(writing.snapshots().isSupported());
                assertTrue(top.snapshots().isSupported());
            }
            assertFalse(withoutMedium(disks).snapshots().isSupported());
        }
    }

    @Test
    void row06_create() throws Exception {
        try (Disks disks = new Disks().create("disk");
                BlockBackend backend = disks.open("disk")) {
            Snapshots snapshots = backend.snapshots();
            Disks.fill(backend, 1);
            assertEquals("1", Disks.create(snapshots, "a").id());
            assertEquals("41", snapshots.create(Disks.request("41", "b", 0)).id());
            assertEquals("x", snapshots.create(Disks.request("x", "c", 0)).id());
            assertEquals("42", Disks.create(snapshots, "d").id());
            fails(
                    Kind.EXISTS,
                    "Snapshot with id '41' already exists",
                    () -> snapshots.create(Disks.request("41", "e", 0)));
            Disks.fill(backend, 2);
            try (BlockBackend view = snapshots.open(snapshots.list().get(0))) {
                assertEquals(1, Disks.value(view));
            }
            assertEquals(2, Disks.value(backend));
        }
    }

    @Test
    void row07_apply() throws Exception {
        try (Disks disks = new Disks().create("disk");
                BlockBackend backend = disks.open("disk")) {
            Snapshots snapshots = backend.snapshots();
            Disks.fill(backend, 1);
            SnapshotInfo info = Disks.create(snapshots, "s");
            Disks.fill(backend, 2);
            DirtyBitmap bitmap = backend.root().bitmaps().create("b");
            bitmap.disable();
            fails(Kind.BUSY, "Device has active dirty bitmaps", () -> snapshots.apply(info));
            assertEquals(2, Disks.value(backend));
            backend.root().bitmaps().remove(bitmap);
            snapshots.apply(info);
            assertEquals(1, Disks.value(backend));
            SnapshotInfo missing = new SnapshotInfo("9", "no", 0, 0, 0, 0, OptionalLong.empty(), 0);
            fails(
                    Kind.NOT_FOUND,
                    "Snapshot with id '9' and name 'no' does not exist on device 'disk'",
                    () -> snapshots.apply(missing));
            BlockBackend gone = withoutMedium(disks);
            fails(
                    Kind.NO_MEDIUM,
                    "Block driver is closed",
                    () -> gone.snapshots().apply(info));
            BlockBackend bare = disks.graph.open(
                    "disk", OpenOptions.readOnly().format("memory").forceShare(true));
            fails(
                    Kind.UNSUPPORTED,
                    "Block driver does not support internal snapshots",
                    () -> bare.snapshots().apply(info));
        }
    }

    @Test
    void row08_delete() throws Exception {
        try (Disks disks = new Disks().create("disk");
                BlockBackend backend = disks.open("disk")) {
            Snapshots snapshots = backend.snapshots();
            Disks.create(snapshots, "a");
            Disks.create(snapshots, "b");
            Disks.create(snapshots, "c");
            fails(Kind.INVALID, "snapshot_id and name are both NULL", () -> snapshots.delete(null, null));
            fails(
                    Kind.NOT_FOUND,
                    "Snapshot with id '1' and name 'b' does not exist on device 'disk'",
                    () -> snapshots.delete("1", "b"));
            fails(
                    Kind.NOT_FOUND,
                    "Snapshot with name '1' does not exist on device 'disk'",
                    () -> snapshots.delete(null, "1"));
            snapshots.delete("1", null);
            snapshots.delete(null, "b");
            snapshots.delete("3", "c");
            assertEquals(List.of(), snapshots.list());
            disks.create("bare");
            BlockBackend bare = disks.graph.open(
                    "bare", OpenOptions.readWrite().format("plain").nodeName("bare"));
            fails(
                    Kind.UNSUPPORTED,
                    "Block format 'plain' used by device 'bare' does not support internal snapshot deletion",
                    () -> bare.snapshots().delete("1", null));
            BlockBackend gone = withoutMedium(disks);
            fails(
                    Kind.NO_MEDIUM,
                    "Device 'top' has no medium",
                    () -> gone.snapshots().delete("1", null));
        }
    }

    /** Row 8: no request is in flight while tables change. */
    @Test
    void row08_deleteDrainsFirst() throws Exception {
        try (Disks disks = new Disks().create("disk");
                BlockBackend backend = disks.open("disk")) {
            SnapshotInfo info = Disks.create(backend.snapshots(), "a");
            DrainedSection held = backend.drain();
            Thread writer = Thread.ofVirtual().start(() -> {
                try {
                    Disks.fill(backend, 3);
                } catch (BlockException e) {
                    throw new AssertionError(e);
                }
            });
            backend.snapshots().delete(info);
            assertTrue(writer.isAlive(), "a write ran inside a drained section");
            held.close();
            writer.join();
            assertEquals(3, Disks.value(backend));
            Disks.requireSound(backend, false);
        }
    }

    @Test
    void row09_loadTemporarily() throws Exception {
        try (Disks disks = new Disks().create("disk")) {
            try (BlockBackend backend = disks.open("disk")) {
                for (int i = 1; i <= 3; i++) {
                    Disks.fill(backend, i);
                    Disks.create(backend.snapshots(), "s" + i);
                }
                Disks.fill(backend, 9);
                fails(
                        Kind.INVALID,
                        "Device is not readonly",
                        () -> backend.snapshots().loadTemporarily("1", null));
                // Ours goes further: all of them at once, beside the live disk, which is written meanwhile.
                List<BlockBackend> views = new ArrayList<>();
                for (SnapshotInfo info : backend.snapshots().list()) {
                    views.add(backend.snapshots().open(info));
                }
                Disks.fill(backend, 10);
                for (int i = 1; i <= 3; i++) {
                    assertEquals(i, Disks.value(views.get(i - 1)));
                    views.get(i - 1).close();
                }
                assertEquals(10, Disks.value(backend));
            }
            byte[] before = disks.memory.file("disk").snapshot().read(0, 4096);
            try (BlockBackend reading = disks.openReading("disk")) {
                Snapshots snapshots = reading.snapshots();
                try (BlockBackend view = snapshots.loadTemporarily("2", "s2")) {
                    assertEquals(2, Disks.value(view));
                }
                fails(Kind.INVALID, "snapshot_id and name are both NULL", () -> snapshots.loadTemporarily(null, null));
                fails(
                        Kind.NOT_FOUND,
                        "Snapshot with id '2' and name 's3' does not exist on device 'disk'",
                        () -> snapshots.loadTemporarily("2", "s3"));
            }
            assertArrayEquals(before, disks.memory.file("disk").snapshot().read(0, 4096));
            try (BlockBackend top = disks.graph.open(
                    "",
                    OpenOptions.readOnly()
                            .driverOptions(java.util.Map.of(
                                    "driver",
                                    "plain",
                                    "file.driver",
                                    "qcow2",
                                    "file.file.driver",
                                    "memory",
                                    "file.file.filename",
                                    "disk"))
                            .nodeName("top"))) {
                fails(
                        Kind.UNSUPPORTED,
                        "Block format 'plain' used by device 'top' does not support temporarily loading internal"
                                + " snapshots",
                        () -> top.snapshots().loadTemporarily("1", null));
            }
        }
    }

    /** What opens the driver again is refused before it has done anything: views read through it. */
    @Test
    void row09_noReopeningUnderAView() throws Exception {
        try (Disks disks = new Disks().create("disk");
                BlockBackend backend = disks.open("disk")) {
            Disks.fill(backend, 1);
            SnapshotInfo info = Disks.create(backend.snapshots(), "s");
            Disks.fill(backend, 2);
            Map<String, String> options = Map.of("lazy_refcounts", "on");
            String refusal = "Node 'disk' can't be opened again while a snapshot of it is open";
            try (BlockBackend view = backend.snapshots().open(info)) {
                byte[] before = disks.memory.file("disk").snapshot().read(0, 4096);
                fails(Kind.BUSY, refusal, () -> backend.amend(options, done -> {}));
                assertArrayEquals(before, disks.memory.file("disk").snapshot().read(0, 4096));
                fails(
                        Kind.BUSY,
                        refusal,
                        () -> disks.graph
                                .transaction()
                                .setReadOnly(backend.root(), true)
                                .commit());
                assertEquals(1, Disks.value(view));
                // Applying its own snapshots is the driver's affair: it goes on.
                backend.snapshots().apply(info);
                Disks.fill(backend, 3);
                assertEquals(1, Disks.value(view));
            }
            backend.amend(options, done -> {});
            assertEquals(true, backend.formatInfo().orElseThrow().specific().get("lazy-refcounts"));
            disks.graph.transaction().setReadOnly(backend.root(), true).commit();
            assertEquals(3, Disks.value(backend));
        }
    }

    @Test
    void row10_loadTemporarilyByIdOrName() throws Exception {
        try (Disks disks = new Disks().create("disk")) {
            try (BlockBackend backend = disks.open("disk")) {
                Disks.fill(backend, 1);
                Disks.create(backend.snapshots(), "2");
                Disks.fill(backend, 2);
                Disks.create(backend.snapshots(), "name");
            }
            try (BlockBackend reading = disks.openReading("disk")) {
                try (BlockBackend byId = reading.snapshots().loadTemporarily("2");
                        BlockBackend byName = reading.snapshots().loadTemporarily("name")) {
                    assertEquals(2, Disks.value(byId), "an id goes before a name");
                    assertEquals(2, Disks.value(byName));
                }
                fails(
                        Kind.NOT_FOUND,
                        "Snapshot with name 'none' does not exist on device 'disk'",
                        () -> reading.snapshots().loadTemporarily("none"));
            }
        }
    }

    @Test
    void row11_vmState() throws Exception {
        try (Disks disks = new Disks().create("disk");
                BlockBackend backend = disks.open("disk")) {
            Disks.fill(backend, 1);
            byte[] state = new byte[3 * 4096 * 512 + 777];
            new Random(5).nextBytes(state);
            Snapshots snapshots = backend.snapshots();
            try (VmState vm = snapshots.openVmState()) {
                for (int at = 0; at < state.length; at += 100_000) {
                    int length = Math.min(100_000, state.length - at);
                    vm.write(at, MemorySegment.ofArray(state).asSlice(at, length));
                }
                assertEquals(1, Disks.value(backend), "never visible in the disk");
                assertEquals(Disks.SIZE, backend.lengthBytes());
                BlockException large = assertThrows(
                        BlockException.class,
                        () -> vm.write(vm.capacityBytes() - 1, MemorySegment.ofArray(new byte[2])));
                assertEquals(Kind.TOO_LARGE, large.kind());
            }
            SnapshotInfo info = snapshots.create(Disks.request("", "running", state.length));
            assertEquals(state.length, info.vmStateSizeBytes());
            byte[] found = new byte[state.length];
            try (VmState vm = snapshots.openVmState()) {
                vm.read(0, MemorySegment.ofArray(found));
                assertArrayEquals(new byte[state.length], found, "the live disk has it no more");
            }
            Disks.fill(backend, 2);
            Disks.create(snapshots, "later");
            snapshots.apply(info);
            try (VmState vm = snapshots.openVmState()) {
                vm.read(0, MemorySegment.ofArray(found));
                assertArrayEquals(state, found);
                assertEquals(1, Disks.value(backend));
                vm.drop();
                vm.read(0, MemorySegment.ofArray(found));
                assertArrayEquals(new byte[state.length], found);
            }
            Disks.requireSound(backend, false);
            snapshots.apply(info);
            try (VmState vm = snapshots.openVmState()) {
                vm.read(0, MemorySegment.ofArray(found));
                assertArrayEquals(state, found, "the snapshot kept it");
            }
        }
        try (Disks disks = new Disks().create("two");
                BlockBackend top = disks.openShape("two", "plain", "pass", "qcow2");
                VmState vm = top.snapshots().openVmState()) {
            vm.write(5, MemorySegment.ofArray(new byte[] {1}));
        }
    }

    /** Access to the state goes on when the driver was opened again: through the new one, never through the old. */
    @Test
    void row11_vmStateAfterAReopening() throws Exception {
        try (Disks disks = new Disks().create("disk");
                BlockBackend backend = disks.open("disk");
                VmState vm = backend.snapshots().openVmState()) {
            vm.write(5, MemorySegment.ofArray(new byte[] {1}));
            disks.graph.transaction().setReadOnly(backend.root(), true).commit();
            byte[] found = new byte[1];
            vm.read(5, MemorySegment.ofArray(found));
            assertEquals(1, found[0]);
            assertEquals(
                    Kind.READ_ONLY,
                    assertThrows(BlockException.class, () -> vm.write(6, MemorySegment.ofArray(found)))
                            .kind());
            disks.graph.transaction().setReadOnly(backend.root(), false).commit();
            vm.write(4096 * 3, MemorySegment.ofArray(new byte[] {2}));
            SnapshotInfo info = backend.snapshots().create(Disks.request("", "running", 4096 * 3 + 1));
            backend.snapshots().apply(info);
            vm.read(5, MemorySegment.ofArray(found));
            assertEquals(1, found[0]);
            vm.read(4096 * 3, MemorySegment.ofArray(found));
            assertEquals(2, found[0]);
            Disks.requireSound(backend, false);
        }
    }

    @Test
    void row12_optionsText() throws Exception {
        assertEquals(new SnapshotSelector("1", null, null), SnapshotSelector.parse("snapshot.id=1"));
        assertEquals(new SnapshotSelector(null, "a,b", null), SnapshotSelector.parse("snapshot.name=a,,b"));
        assertEquals(new SnapshotSelector("1", "x=y", null), SnapshotSelector.parse("snapshot.id=1,snapshot.name=x=y"));
        assertEquals(new SnapshotSelector(null, null, "word,id=1"), SnapshotSelector.parse("word,id=1"));
        fails(Kind.INVALID, "Invalid parameter 'snapshot.foo'", () -> SnapshotSelector.parse("snapshot.foo=1"));
        try (Disks disks = new Disks().create("disk");
                BlockBackend backend = disks.open("disk")) {
            Snapshots snapshots = backend.snapshots();
            SnapshotInfo one = Disks.create(snapshots, "2");
            SnapshotInfo two = Disks.create(snapshots, "b");
            assertEquals(two, snapshots.find(SnapshotSelector.parse("2")).orElseThrow());
            assertEquals(
                    one,
                    snapshots.find(SnapshotSelector.parse("snapshot.name=2")).orElseThrow());
            assertTrue(snapshots
                    .find(SnapshotSelector.parse("snapshot.id=1,snapshot.name=b"))
                    .isEmpty());
        }
    }
}
