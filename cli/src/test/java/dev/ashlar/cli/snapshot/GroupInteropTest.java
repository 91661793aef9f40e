package dev.ashlar.cli.snapshot;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.cli.Main;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.SnapshotGraph;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.snapshot.Snapshots;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Graph, difference and groups on images that the real programs made and read again. */
@RequiresQemu
@Timeout(120)
class GroupInteropTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int status(String... arguments) {
        out.reset();
        err.reset();
        return Main.run("ashlar", arguments, InputStream.nullInputStream(), out, err);
    }

    private String run(String... arguments) {
        assertEquals(0, status(arguments), this::errors);
        return out.toString(StandardCharsets.UTF_8);
    }

    private String errors() {
        return err.toString(StandardCharsets.UTF_8);
    }

    private static Path disk(Path folder, String name, int pattern) {
        Path image = folder.resolve(name);
        QemuTools.create(image, 8 << 20);
        QemuTools.io(image, "write -P " + pattern + " 0 8M");
        return image;
    }

    @Test
    void aMachineWithTwoDisks(@ScratchDir Path folder) throws Exception {
        Path a = disk(folder, "a.qcow2", 1);
        Path b = disk(folder, "b.qcow2", 2);
        byte[] state = new byte[(3 << 20) + 17];
        new Random(1).nextBytes(state);
        Path vm = Files.write(folder.resolve("vm"), state);
        String said = run(
                "group",
                "create",
                "s",
                "--disk",
                a.toString(),
                "--disk",
                b.toString(),
                "--vmstate",
                vm.toString(),
                "--vmstate-disk",
                b.toString());
        assertTrue(said.startsWith("Snapshot 's' created on 2 disks, which stood still for "), said);
        QemuTools.requireClean(a);
        QemuTools.requireClean(b);
        assertTrue(
                QemuTools.img("snapshot", "-l", b.toString()).output().contains("3 MiB"), "VM size as QEMU shows it");
        assertTrue(QemuTools.img("snapshot", "-l", a.toString()).output().contains(" 0 B"));
        QemuTools.io(a, "write -P 11 0 8M");
        QemuTools.io(b, "write -P 12 1M 64k");
        assertEquals(1, status("group", "create", "s", "--disk", a.toString(), "--disk", b.toString()));
        assertEquals("ashlar: Snapshot 's' already exists in one or more devices\n", errors());
        Path restored = folder.resolve("restored");
        run("group", "apply", "s", "--disk", a.toString(), "--disk", b.toString(), "--vmstate", restored.toString());
        run(
                "group",
                "apply",
                "s",
                "--disk",
                a.toString(),
                "--disk",
                b.toString(),
                "--vmstate",
                restored.toString(),
                "--vmstate-disk",
                b.toString());
        assertArrayEquals(state, Files.readAllBytes(restored));
        QemuTools.io(a, "read -P 1 0 8M");
        QemuTools.io(b, "read -P 2 0 8M");
        QemuTools.requireClean(a);
        QemuTools.requireClean(b);
        assertEquals(
                "s                        on every disk\n",
                run("group", "list", "--disk", a.toString(), "--disk", b.toString()));
        assertEquals(
                "Snapshot 's' is on every disk\n",
                run("group", "check", "s", "--disk", a.toString(), "--disk", b.toString()));
        run("group", "delete", "s", "--disk", a.toString(), "--disk", b.toString());
        assertEquals(1, status("group", "delete", "s", "--disk", a.toString(), "--disk", b.toString()));
        assertEquals("ashlar: Could not delete snapshot 's': snapshot not found\n", errors());
        assertEquals("", QemuTools.img("snapshot", "-l", a.toString()).output());
        QemuTools.requireClean(a);
        QemuTools.requireClean(b);
    }

    /** QEMU's own VM state is read after an apply, and QEMU applies ours. */
    @Test
    void qemuAppliesWhatAGroupTook(@ScratchDir Path folder) throws Exception {
        Path a = disk(folder, "a.qcow2", 1);
        Path b = disk(folder, "b.qcow2", 2);
        Path vm = Files.write(folder.resolve("vm"), new byte[100_000]);
        run("group", "create", "s", "--disk", a.toString(), "--disk", b.toString(), "--vmstate", vm.toString());
        QemuTools.io(a, "write -P 9 0 8M");
        QemuTools.img("snapshot", "-a", "s", a.toString()).orFail();
        QemuTools.io(a, "read -P 1 0 8M");
        QemuTools.img("snapshot", "-d", "s", a.toString()).orFail();
        QemuTools.requireClean(a);
        assertEquals(3, status("group", "check", "s", "--disk", a.toString(), "--disk", b.toString()));
        String said = out.toString(StandardCharsets.UTF_8);
        assertTrue(said.startsWith("Snapshot 's' is incomplete: it is on '" + b + "' but not on '" + a + "'"), said);
        run("group", "check", "s", "--repair", "--disk", a.toString(), "--disk", b.toString());
        assertEquals("", QemuTools.img("snapshot", "-l", b.toString()).output());
        QemuTools.requireClean(b);
    }

    /** What a crash in the middle of an apply leaves is named, stops further operations, and is taken back. */
    @Test
    void anInterruptedApplyIsUndone(@ScratchDir Path folder) throws Exception {
        Path a = disk(folder, "a.qcow2", 1);
        Path b = disk(folder, "b.qcow2", 2);
        String[] disks = {"--disk", a.toString(), "--disk", b.toString()};
        run("group", "create", "s", disks[0], disks[1], disks[2], disks[3]);
        QemuTools.io(a, "write -P 11 0 8M");
        QemuTools.io(b, "write -P 12 0 8M");
        QemuTools.img("snapshot", "-c", "ashlar:before:s", a.toString()).orFail();
        QemuTools.img("snapshot", "-c", "ashlar:before:s", b.toString()).orFail();
        QemuTools.img("snapshot", "-a", "s", a.toString()).orFail();
        assertEquals(1, status("group", "delete", "s", disks[0], disks[1], disks[2], disks[3]));
        assertTrue(errors().startsWith("ashlar: Applying snapshot 's' was interrupted: "), this::errors);
        assertEquals(1, errors().lines().count());
        assertEquals(3, status("group", "check", "s", disks[0], disks[1], disks[2], disks[3]));
        run("group", "check", "s", "--repair", disks[0], disks[1], disks[2], disks[3]);
        QemuTools.io(a, "read -P 11 0 8M");
        QemuTools.io(b, "read -P 12 0 8M");
        QemuTools.requireClean(a);
        QemuTools.requireClean(b);
        assertFalse(QemuTools.img("snapshot", "-l", a.toString()).output().contains("ashlar:"));
    }

    @Test
    void mistakesAreOneLine(@ScratchDir Path folder) throws Exception {
        Path a = disk(folder, "a.qcow2", 1);
        Path raw = Files.write(folder.resolve("raw"), new byte[1 << 16]);
        record Case(List<String> words, String message) {}
        for (Case one : List.of(
                new Case(
                        List.of("group", "create", "s", "--disk", a.toString(), "--disk", raw.toString()),
                        "Device '" + raw + "' is writable but does not support snapshots"),
                new Case(
                        List.of("group", "apply", "no", "--disk", a.toString()),
                        "Could not load snapshot 'no' on '" + a
                                + "': Snapshot with name 'no' does not exist on device '" + a + "'"),
                new Case(List.of("diff", "--from", "no", a.toString()), "Can't find snapshot with id or name 'no'"),
                new Case(
                        List.of("diff", "--from", "snapshot.foo=1", a.toString()),
                        "Invalid parameter 'snapshot.foo'"))) {
            assertEquals(1, status(one.words().toArray(new String[0])));
            assertEquals("ashlar: " + one.message() + "\n", errors());
        }
        for (List<String> words : List.of(
                List.of("group", "create", "s"),
                List.of("group"),
                List.of("group", "burn", "s", "--disk", "x"),
                List.of("group", "create", "--disk", "x"),
                List.of("diff", "x"),
                List.of("graph"),
                List.of("graph", "--dot", "--json", "x"))) {
            assertEquals(1, status(words.toArray(new String[0])), words::toString);
            assertTrue(errors().endsWith("Try 'ashlar --help' for more information\n"), this::errors);
            assertEquals(2, errors().lines().count());
        }
        assertTrue(run("group", "--help").startsWith("Usage: ashlar group "));
    }

    /** Disks that no file name can describe: behind a filter whose group is an object, or with a passphrase. */
    @Test
    void disksByTheirOptions(@ScratchDir Path folder) {
        Path a = disk(folder, "a.qcow2", 1);
        Path b = disk(folder, "b.qcow2", 2);
        String object = "--object=throttle-group,id=g,x-iops-total=1000";
        String front = "driver=throttle,throttle-group=g,file.driver=qcow2,file.file.filename=";
        String plain = "driver=qcow2,file.filename=" + b;
        String[] disks = {"--image-opts", object, "--disk", front + a, "--disk", plain};
        run("group", "create", "s", disks[0], disks[1], disks[2], disks[3], disks[4], disks[5]);
        QemuTools.io(a, "write -P 11 0 1M");
        QemuTools.io(b, "write -P 12 0 1M");
        assertTrue(run("diff", "--from", "s", "--image-opts", object, front + a).startsWith("Offset"));
        assertTrue(run("graph", "--image-opts", object, front + a).startsWith(a + " (throttle, 8 MiB, read-only)\n"));
        run("group", "apply", "s", disks[0], disks[1], disks[2], disks[3], disks[4], disks[5]);
        QemuTools.io(a, "read -P 1 0 8M");
        QemuTools.io(b, "read -P 2 0 8M");
        QemuTools.requireClean(a);
        QemuTools.requireClean(b);
        assertEquals(1, status("graph", "--image-opts", "-f", "qcow2", plain));
        assertEquals("ashlar: --image-opts and --format are mutually exclusive\n", errors());
    }

    @Test
    void theListTellsWhichDiskLacksWhat(@ScratchDir Path folder) {
        Path a = disk(folder, "a.qcow2", 1);
        Path b = disk(folder, "b.qcow2", 2);
        QemuTools.img("snapshot", "-c", "tab\there", b.toString()).orFail();
        QemuTools.img("snapshot", "-c", "plain", a.toString()).orFail();
        assertEquals(
                "plain                    not on '" + b + "'\ntab\\x09here              not on '" + a + "'\n",
                run("group", "list", "--disk", a.toString(), "--disk", b.toString()));
    }

    /** A state that cannot be kept or given back is no reason to lose what the disks hold, nor a disk. */
    @Test
    void aStateThatCannotBeHandledChangesNothing(@ScratchDir Path folder) throws Exception {
        Path a = disk(folder, "a.qcow2", 1);
        Path b = disk(folder, "b.qcow2", 2);
        Path vm = Files.write(folder.resolve("vm"), new byte[1000]);
        Path link = Files.createSymbolicLink(folder.resolve("link"), b);
        String[] group = {"--disk", a.toString(), "--disk", b.toString(), "--vmstate"};
        run("group", "create", "s", group[0], group[1], group[2], group[3], group[4], vm.toString());
        QemuTools.io(a, "write -P 11 0 8M");
        QemuTools.io(b, "write -P 12 0 8M");
        long size = Files.size(b);
        for (String action : List.of("create", "apply")) {
            for (Path disk : List.of(b, link)) {
                String name = action.equals("create") ? "t" : "s";
                assertEquals(
                        1, status("group", action, name, group[0], group[1], group[2], group[3], group[4], "" + disk));
                assertEquals(
                        "ashlar: The machine's state cannot be in '" + disk + "', where '" + b + "' lies\n", errors());
            }
        }
        assertEquals(size, Files.size(b));
        String nowhere = folder + "/no/vm";
        assertEquals(1, status("group", "apply", "s", group[0], group[1], group[2], group[3], group[4], nowhere));
        assertTrue(errors().startsWith("ashlar: Could not write the machine's state in '" + nowhere), this::errors);
        Path out = folder.resolve("out");
        assertEquals(
                1,
                status(
                        "group",
                        "apply",
                        "s",
                        group[0],
                        group[1],
                        group[2],
                        group[3],
                        group[4],
                        out.toString(),
                        "--vmstate-disk",
                        b.toString()));
        assertEquals("ashlar: Snapshot 's' on '" + b + "' holds no state of a machine\n", errors());
        assertFalse(Files.exists(out));
        for (String option : List.of("--vmstate=x", "--repair", "--vmstate-disk=x")) {
            assertEquals(1, status("group", "delete", "s", group[0], group[1], group[2], group[3], option));
            assertTrue(errors().endsWith("Try 'ashlar --help' for more information\n"), this::errors);
        }
        QemuTools.io(a, "read -P 11 0 8M");
        QemuTools.io(b, "read -P 12 0 8M");
        QemuTools.requireClean(a);
        QemuTools.requireClean(b);
    }

    @Test
    void theDifferenceIsWhereContentDiffers(@ScratchDir Path folder) throws Exception {
        Path image = folder.resolve("disk.qcow2");
        QemuTools.create(image, 8 << 20);
        QemuTools.io(image, "write -P 1 0 4M");
        QemuTools.img("snapshot", "-c", "one", image.toString()).orFail();
        QemuTools.io(image, "write -P 2 1M 64k", "write -P 2 1114112 1000", "write -z 3M 128k");
        QemuTools.img("snapshot", "-c", "two", image.toString()).orFail();
        QemuTools.io(image, "write -P 3 7M 64k");
        assertEquals(
                "Offset          Length\n"
                        + "0x100000        0x20000\n"
                        + "0x300000        0x20000\n"
                        + "256 KiB in 2 ranges may differ\n",
                run("diff", "--from", "one", "--to", "two", image.toString()));
        assertEquals(
                "[\n    {\n        \"start\": 7340032,\n        \"length\": 65536\n    }\n]\n".replaceAll("\\s", ""),
                run("diff", "--from", "two", "--output=json", image.toString())
                        .replaceAll("\\s", "")
                        .replace("{\"length\":65536,\"start\":7340032}", "{\"start\":7340032,\"length\":65536}"));
        SparseBytes one = QemuTools.content(image, "one", image.getParent());
        SparseBytes live = QemuTools.content(image, image.getParent());
        try (BlockGraph graph = BlockGraph.create();
                BlockBackend backend = graph.open(image.toString(), OpenOptions.readOnly())) {
            Snapshots snapshots = backend.snapshots();
            long same = 0;
            List<Snapshots.Range> ranges =
                    snapshots.difference(snapshots.findByName("one").orElseThrow(), null);
            for (Snapshots.Range range : ranges) {
                requireEqual(one, live, same, range.guestOffset());
                same = range.guestOffset() + range.lengthBytes();
            }
            requireEqual(one, live, same, 8 << 20);
            assertEquals(3, ranges.size());
        }
    }

    private static void requireEqual(SparseBytes one, SparseBytes other, long from, long to) {
        assertArrayEquals(one.read(from, (int) (to - from)), other.read(from, (int) (to - from)));
    }

    @Test
    void theGraphShowsWhatIsThere(@ScratchDir Path folder) throws Exception {
        Path base = disk(folder, "base.qcow2", 1);
        Path top = folder.resolve("top.qcow2");
        QemuTools.img("create", "-q", "-f", "qcow2", "-b", base.toString(), "-F", "qcow2", top.toString())
                .orFail();
        QemuTools.io(top, "write -P 2 0 1M");
        QemuTools.img("snapshot", "-c", "first \"one\"", top.toString()).orFail();
        QemuTools.io(top, "write -P 3 0 512k");
        String text = run("graph", top.toString());
        assertTrue(text.startsWith(top + " (qcow2, 8 MiB, read-only): "), text);
        assertTrue(text.contains("├─ snapshot 1 'first \"one\"' (8 MiB): "), text);
        assertTrue(text.contains("└─ backing: " + base + " (qcow2, 8 MiB, read-only): "), text);
        assertTrue(text.contains("file: " + base + " (file, "), text);
        String dot = run("graph", "--dot", top.toString());
        assertTrue(dot.startsWith("digraph layers {\n") && dot.endsWith("}\n"), dot);
        assertTrue(dot.contains("first \\\"one\\\""), dot);
        String json = run("graph", "--json", top.toString());
        assertTrue(json.contains("\"name\": \"first \\\"one\\\"\""), json);
        assertTrue(json.contains("\"roles\": [\"COW\"]"), json);
        try (BlockGraph graph = BlockGraph.create();
                BlockBackend backend = graph.open(top.toString(), OpenOptions.readWrite())) {
            SnapshotGraph layers = SnapshotGraph.of(backend.root());
            assertEquals(4, layers.layers().size());
            assertEquals(3, layers.edges().size());
            assertEquals(
                    List.of(top.toString(), base.toString()),
                    layers.backingChain().stream()
                            .map(SnapshotGraph.Layer::fileName)
                            .toList());
            // What the snapshot holds alone is what its deletion gives back.
            SnapshotGraph.Layer layer = layers.layers().get(0);
            assertEquals(
                    (512 << 10) + 2 * (64 << 10),
                    layer.snapshots().get(0).usage().orElseThrow().exclusiveBytes());
            assertEquals(
                    512 << 10, layer.snapshots().get(0).usage().orElseThrow().sharedBytes());
        }
    }

    /** Row 4, row 7: raw over a filter over qcow2, with the drivers that users have. */
    @Test
    void rawOverThrottleOverQcow2(@ScratchDir Path folder) throws Exception {
        Path image = disk(folder, "disk.qcow2", 1);
        for (Map<String, String> shape : List.of(
                Map.of("driver", "raw", "file.driver", "qcow2", "file.file.filename", image.toString()),
                Map.of(
                        "driver",
                        "raw",
                        "file.driver",
                        "throttle",
                        "file.throttle-group",
                        "g",
                        "file.limits.iops-total",
                        "1000000",
                        "file.file.driver",
                        "qcow2",
                        "file.file.file.filename",
                        image.toString()))) {
            try (BlockGraph graph = BlockGraph.create();
                    BlockBackend top = graph.open(OpenOptions.readWrite().driverOptions(shape))) {
                Snapshots snapshots = top.snapshots();
                SnapshotInfo info = snapshots.create(SnapshotRequest.named("s"));
                top.write(0, MemorySegment.ofArray(new byte[100_000]));
                snapshots.apply(info);
                byte[] bytes = new byte[100_000];
                top.read(0, MemorySegment.ofArray(bytes));
                for (byte b : bytes) {
                    assertEquals(1, b);
                }
                snapshots.delete(info);
                assertThrows(BlockException.class, () -> snapshots.apply(info));
            }
            QemuTools.requireClean(image);
        }
    }
}
