package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.GroupReport;
import dev.ashlar.core.snapshot.SnapshotGroup;
import dev.ashlar.testkit.protocol.FaultProtocol.Damage;
import dev.ashlar.testkit.protocol.FaultProtocol.Duration;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

/** What snapshots of groups must do, a test per row of the list of capabilities (rows 13 to 18). */
@Timeout(60)
class GroupRulesTest {
    private static void fails(Kind kind, String message, Executable executable) {
        BlockException e = assertThrows(BlockException.class, executable);
        assertEquals(message, e.getMessage());
        assertEquals(kind, e.kind());
    }

    private static Disks three() throws BlockException {
        Disks disks = new Disks().create("a").create("b").create("c");
        Disks.fill(disks.open("a"), 1);
        Disks.fill(disks.open("b"), 2);
        Disks.fill(disks.open("c"), 3);
        return disks;
    }

    private static List<String> names(SnapshotGroup group) {
        List<String> names = new ArrayList<>();
        group.nodes().forEach(node -> names.add(node.name()));
        return names;
    }

    @Test
    void selection() throws Exception {
        try (Disks disks = new Disks().create("a").create("b").create("c")) {
            disks.open("a");
            disks.openReading("b");
            BlockBackend top = disks.openShape("c", "plain", "qcow2");
            assertEquals(List.of("a", "top"), names(SnapshotGroup.of(disks.graph)), "writable ones of backends");
            assertEquals(
                    List.of("b", "a"), names(SnapshotGroup.of(disks.graph, List.of("b", "a", "b"))), "those named");
            fails(
                    Kind.INVALID,
                    "At least one device is required for snapshot",
                    () -> SnapshotGroup.of(disks.graph, List.of()));
            fails(Kind.NOT_FOUND, "No block device node 'X'", () -> SnapshotGroup.of(disks.graph, List.of("a", "X")));
            String below = top.root().children().get(0).node().name();
            assertEquals(
                    List.of("top"),
                    names(SnapshotGroup.of(disks.graph, List.of(below, "top"))),
                    "one image is one disk, reached from above");
        }
    }

    @Test
    void row13_canAllSnapshot() throws Exception {
        try (Disks disks = three()) {
            SnapshotGroup.of(disks.graph).requireSupported();
            disks.create("d");
            disks.graph.open("d", OpenOptions.readWrite().format("plain").nodeName("d"));
            fails(
                    Kind.UNSUPPORTED,
                    "Device 'd' is writable but does not support snapshots",
                    () -> SnapshotGroup.of(disks.graph).requireSupported());
            fails(
                    Kind.UNSUPPORTED,
                    "Device 'd' is writable but does not support snapshots",
                    () -> SnapshotGroup.of(disks.graph).create(Disks.request("", "s", 0), null));
            SnapshotGroup.of(disks.graph, List.of("a", "b")).requireSupported();
        }
    }

    @Test
    void row14_findEverywhere() throws Exception {
        try (Disks disks = three()) {
            SnapshotGroup group = SnapshotGroup.of(disks.graph);
            SnapshotGroup two = SnapshotGroup.of(disks.graph, List.of("a", "c"));
            assertFalse(group.hasEverywhere("s"));
            two.create(Disks.request("", "s", 0), null);
            assertFalse(group.hasEverywhere("s"));
            assertTrue(two.hasEverywhere("s"));
            disks.create("d");
            disks.graph.open("d", OpenOptions.readWrite().format("plain").nodeName("d"));
            BlockException e = assertThrows(
                    BlockException.class,
                    () -> SnapshotGroup.of(disks.graph, List.of("a", "d")).hasEverywhere("s"));
            assertTrue(e.getMessage().startsWith("Could not check snapshot 's' on 'd': "), e.getMessage());
        }
    }

    @Test
    void row15_createOnAll() throws Exception {
        try (Disks disks = three()) {
            SnapshotGroup group = SnapshotGroup.of(disks.graph);
            try (var vm = disks.graph.node("b").orElseThrow().openVmState()) {
                vm.write(0, MemorySegment.ofArray(new byte[1000]));
            }
            GroupReport report = group.create(
                    Disks.request("", "s", 1000), disks.graph.node("b").orElseThrow());
            assertEquals(List.of("a", "b", "c"), report.nodeNames());
            assertTrue(report.standstillNanos() > 0);
            for (String name : List.of("a", "b", "c")) {
                var infos = dev.ashlar.core.snapshot.Snapshots.of(
                                disks.graph.node(name).orElseThrow())
                        .list();
                assertEquals(1, infos.size());
                assertEquals(name.equals("b") ? 1000 : 0, infos.get(0).vmStateSizeBytes(), name);
                assertEquals(1_700_000_000, infos.get(0).dateSeconds());
            }
            fails(
                    Kind.EXISTS,
                    "Snapshot 's' already exists in one or more devices",
                    () -> group.create(Disks.request("", "s", 0), null));
        }
    }

    /** Rows 15 and 16 are of one instant: a number that goes round three disks is never found out of step. */
    @Test
    void row15_oneInstant() throws Exception {
        try (Disks disks = new Disks().create("a").create("b").create("c")) {
            List<BlockBackend> backends = List.of(disks.open("a"), disks.open("b"), disks.open("c"));
            AtomicBoolean stop = new AtomicBoolean();
            Thread writer = Thread.ofPlatform().start(() -> {
                try {
                    for (int i = 1; !stop.get(); i++) {
                        for (BlockBackend backend : backends) {
                            backend.write(0, MemorySegment.ofArray(new int[] {i}));
                        }
                    }
                } catch (BlockException e) {
                    throw new AssertionError(e);
                }
            });
            SnapshotGroup group = SnapshotGroup.of(disks.graph);
            for (int i = 0; i < 30; i++) {
                group.create(Disks.request("", "s" + i, 0), null);
            }
            stop.set(true);
            writer.join();
            for (int i = 0; i < 30; i++) {
                int[] seen = new int[3];
                for (int d = 0; d < 3; d++) {
                    var snapshots = backends.get(d).snapshots();
                    try (BlockBackend view =
                            snapshots.open(snapshots.findByName("s" + i).orElseThrow())) {
                        int[] number = new int[1];
                        view.read(0, MemorySegment.ofArray(number));
                        seen[d] = number[0];
                    }
                }
                assertTrue(
                        seen[0] >= seen[1] && seen[1] >= seen[2] && seen[0] - seen[2] <= 1,
                        () -> java.util.Arrays.toString(seen));
            }
        }
    }

    @Test
    void row16_applyOnAll() throws Exception {
        try (Disks disks = new Disks().create("a").create("b")) {
            BlockBackend a = disks.open("a");
            BlockBackend b = disks.openShape("b", "plain", "pass", "qcow2");
            Disks.fill(a, 1);
            Disks.fill(b, 2);
            SnapshotGroup group = SnapshotGroup.of(disks.graph);
            group.create(Disks.request("", "s", 0), null);
            Disks.fill(a, 11);
            Disks.fill(b, 12);
            group.apply("s");
            assertEquals(1, Disks.value(a));
            assertEquals(2, Disks.value(b));
            assertEquals(List.of("s"), Disks.names(a), "nothing is left over");
            assertEquals(List.of("s"), Disks.names(b));
            fails(
                    Kind.NOT_FOUND,
                    "Could not load snapshot 'no' on 'a': Snapshot with name 'no' does not exist on device 'a'",
                    () -> group.apply("no"));
            Disks.fill(a, 21);
            Disks.fill(b, 22);
            b.root().bitmaps().create("b");
            BlockException e = assertThrows(BlockException.class, () -> group.apply("s"));
            assertEquals("Could not load snapshot 's' on 'top': Device has active dirty bitmaps", e.getMessage());
            assertEquals(21, Disks.value(a));
            assertEquals(22, Disks.value(b));
            assertEquals(List.of("s"), Disks.names(a));
        }
    }

    @Test
    void row17_deleteOnAll() throws Exception {
        try (Disks disks = three()) {
            SnapshotGroup.of(disks.graph, List.of("a", "c")).create(Disks.request("", "s", 0), null);
            GroupReport report = SnapshotGroup.of(disks.graph).delete("s");
            assertEquals(List.of("a", "c"), report.nodeNames(), "disks without it are skipped");
            assertFalse(SnapshotGroup.of(disks.graph, List.of("a")).hasEverywhere("s"));
            assertEquals(List.of(), SnapshotGroup.of(disks.graph).delete("s").nodeNames());
            SnapshotGroup.of(disks.graph).create(Disks.request("", "t", 0), null);
            disks.faults.get("b").failChange(1, Kind.IO, Duration.FOR_EVER, Damage.NONE);
            BlockException e = assertThrows(
                    BlockException.class, () -> SnapshotGroup.of(disks.graph).delete("t"));
            assertTrue(e.getMessage().startsWith("Could not delete snapshot 't' on 'b': "), e.getMessage());
            assertTrue(SnapshotGroup.of(disks.graph, List.of("a", "c")).hasEverywhere("t"));
            disks.restart();
        }
    }

    @Test
    void row18_vmStateNode() throws Exception {
        try (Disks disks = three()) {
            disks.create("d");
            disks.graph.open("d", OpenOptions.readWrite().format("plain").nodeName("d"));
            SnapshotGroup group = SnapshotGroup.of(disks.graph);
            assertSame(disks.graph.node("a").orElseThrow(), group.vmStateNode(null), "the first able one");
            assertSame(disks.graph.node("c").orElseThrow(), group.vmStateNode("c"));
            fails(
                    Kind.UNSUPPORTED,
                    "vmstate block device 'd' does not support snapshots",
                    () -> group.vmStateNode("d"));
            fails(Kind.NOT_FOUND, "vmstate block device 'e' does not exist", () -> group.vmStateNode("e"));
            fails(
                    Kind.NOT_FOUND,
                    "vmstate block device 'c' does not exist",
                    () -> SnapshotGroup.of(disks.graph, List.of("a")).vmStateNode("c"));
            fails(
                    Kind.UNSUPPORTED,
                    "no block device can store vmstate for snapshot",
                    () -> SnapshotGroup.of(disks.graph, List.of("d")).vmStateNode(null));
        }
    }
}
