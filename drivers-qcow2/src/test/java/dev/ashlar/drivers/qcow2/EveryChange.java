package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.core.bitmap.NodeBitmaps;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.spi.BackingChangeable;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.Emptiable;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.SnapshotRenamable;
import dev.ashlar.core.spi.VmStateCapable;
import dev.ashlar.drivers.qcow2.ImageShape.Need;
import dev.ashlar.drivers.qcow2.Operation.Kind;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.DirectFormat;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;

/** All ways in which this driver changes an image that is there; {@link EveryOperationCrashTest} finds out whether one is missing. */
final class EveryChange {
    private EveryChange() {}

    static List<Change> all() {
        List<Change> all = new ArrayList<>();
        requests(all);
        snapshots(all);
        sizes(all);
        tables(all);
        amendments(all);
        names(all);
        bitmaps(all);
        openings(all);
        repairs(all);
        return all;
    }

    private static Change.Step steps(Kind... kinds) {
        return work -> work.run(kinds);
    }

    private static void requests(List<Change> all) {
        List<Need> any = List.of();
        all.add(Change.of(
                "write",
                any,
                steps(Kind.WRITE, Kind.WRITE_CLUSTERS, Kind.FLUSH, Kind.WRITE, Kind.CROSSED_WRITES, Kind.FLUSH)));
        all.add(Change.of(
                "write while a flush comes",
                any,
                steps(Kind.WRITE_ACROSS_FLUSH, Kind.CROSSED_WRITES, Kind.WRITE_ACROSS_FLUSH, Kind.FLUSH)));
        all.add(Change.of(
                "write over a backing file", List.of(Need.BACKING), steps(Kind.WRITE, Kind.WRITE, Kind.FLUSH)));
        all.add(Change.of(
                        "write over a snapshot",
                        List.of(Need.SNAPSHOTS),
                        steps(Kind.WRITE, Kind.WRITE_CLUSTERS, Kind.FLUSH, Kind.WRITE, Kind.FLUSH))
                .after(steps(Kind.WRITE_CLUSTERS, Kind.WRITE_CLUSTERS, Kind.SNAPSHOT_CREATE)));
        all.add(Change.of(
                "write sub-clusters",
                List.of(Need.SUBCLUSTERS),
                steps(Kind.WRITE, Kind.ZERO_PART, Kind.FLUSH, Kind.WRITE, Kind.ZERO, Kind.WRITE, Kind.FLUSH)));
        all.add(Change.of(
                "write compressed",
                List.of(Need.COMPRESSION),
                steps(Kind.WRITE_COMPRESSED, Kind.FLUSH, Kind.WRITE_COMPRESSED, Kind.FLUSH)));
        all.add(Change.of(
                        "write over compressed clusters",
                        List.of(Need.COMPRESSION),
                        work -> work.run(Kind.WRITE, 0, 40 + work.random().nextInt(300)))
                .after(work -> {
                    work.run(Kind.WRITE_COMPRESSED, 0, 4);
                    work.run(Kind.WRITE_COMPRESSED);
                }));
        all.add(Change.of("zero", any, steps(Kind.ZERO, Kind.ZERO_PART, Kind.FLUSH, Kind.ZERO, Kind.WRITE, Kind.FLUSH))
                .after(steps(Kind.WRITE_CLUSTERS, Kind.WRITE_CLUSTERS)));
        all.add(Change.of("discard", any, steps(Kind.DISCARD, Kind.DISCARD, Kind.FLUSH, Kind.WRITE, Kind.FLUSH))
                .after(steps(Kind.WRITE_CLUSTERS, Kind.WRITE_CLUSTERS, Kind.WRITE)));
        all.add(Change.of(
                        "discard over a snapshot",
                        List.of(Need.SNAPSHOTS, Need.VERSION_3),
                        steps(Kind.DISCARD, Kind.FLUSH, Kind.WRITE, Kind.FLUSH))
                .after(steps(Kind.WRITE_CLUSTERS, Kind.WRITE_CLUSTERS, Kind.SNAPSHOT_CREATE)));
    }

    private static void snapshots(List<Change> all) {
        List<Need> can = List.of(Need.SNAPSHOTS);
        // amounts: a multiple of 4 is unprepared, 3 modulo 12 is given up
        all.add(Change.of("create a snapshot", can, work -> work.run(Kind.SNAPSHOT_CREATE, 7, 4)));
        all.add(Change.of("create a prepared snapshot", can, work -> work.run(Kind.SNAPSHOT_CREATE, 7, 7)));
        all.add(Change.of("give up a prepared snapshot", can, work -> work.run(Kind.SNAPSHOT_CREATE, 7, 3)));
        all.add(Change.of("apply a snapshot", can, work -> work.run(Kind.SNAPSHOT_APPLY))
                .after(steps(Kind.WRITE_CLUSTERS, Kind.SNAPSHOT_CREATE, Kind.WRITE, Kind.FLUSH)));
        all.add(Change.of(
                        "apply a snapshot of another size",
                        List.of(Need.SNAPSHOTS, Need.VERSION_3),
                        work -> work.run(Kind.SNAPSHOT_APPLY))
                .after(work -> {
                    work.run(Kind.WRITE_CLUSTERS, Kind.SNAPSHOT_CREATE);
                    work.run(Kind.GROW, 0, 1000);
                    work.run(Kind.WRITE, Operation.PLACES - 5, 30);
                }));
        all.add(Change.of("delete a snapshot", can, work -> work.run(Kind.SNAPSHOT_DELETE))
                .after(steps(Kind.WRITE_CLUSTERS, Kind.SNAPSHOT_CREATE, Kind.WRITE, Kind.SNAPSHOT_CREATE)));
        all.add(Change.of("rename a snapshot", can, work -> {
                    List<SnapshotInfo> list = work.machine().image().snapshots().snapshots();
                    if (list.isEmpty()) {
                        return;
                    }
                    SnapshotInfo first = list.get(0);
                    String other = "x" + first.name();
                    work.machine()
                            .change(
                                    () -> work.machine().history().beginRenameSnapshot(first.name(), other),
                                    () -> work.capability(SnapshotRenamable.class)
                                            .renameSnapshot(first, other));
                })
                .after(steps(Kind.SNAPSHOT_CREATE)));
        List<Need> state = List.of(Need.SNAPSHOTS, Need.COUNTS_16);
        all.add(Change.of("create a snapshot with the state of a machine", state, EveryChange::createWithState)
                .all(EveryChange::states));
        all.add(Change.of(
                        "apply a snapshot with the state of a machine",
                        state,
                        work -> work.run(Kind.SNAPSHOT_APPLY, 0, 0))
                .after(work -> {
                    createWithState(work);
                    work.run(Kind.WRITE);
                })
                .all(EveryChange::states));
        all.add(Change.of(
                        "delete a snapshot with the state of a machine", state, work -> work.run(Kind.SNAPSHOT_DELETE))
                .after(EveryChange::createWithState)
                .all(EveryChange::states));
        all.add(Change.of("drop the state of a machine", can, work -> {
                    work.writeVmState(2);
                    work.run(Kind.FLUSH);
                    work.capability(VmStateCapable.class).dropVmState();
                })
                .all(EveryChange::states));
    }

    private static void createWithState(ChangeWork work) throws BlockException {
        if (!work.shape().allows(Kind.SNAPSHOT_CREATE, work.machine().model())) {
            return;
        }
        int bytes = work.writeVmState(1 + work.random().nextInt(3));
        String name = "state";
        work.machine()
                .change(
                        () -> work.machine().history().beginCreateSnapshot(name),
                        () -> work.machine()
                                .image()
                                .snapshots()
                                .createSnapshot(new SnapshotRequest("", name, bytes, 1, 2, 3, OptionalLong.empty())));
    }

    /** What each snapshot keeps of a machine: read as somebody would who goes on with it. */
    private static Map<String, String> states(SparseBytes image, ImageShape shape) throws BlockException {
        Map<String, String> states = new LinkedHashMap<>();
        try (DirectFormat format = RawFacts.open(image, shape)) {
            for (SnapshotInfo each : format.snapshots().snapshots()) {
                if (each.vmStateSizeBytes() > 0) {
                    format.applySnapshot(each.name());
                    states.put(each.name(), RawFacts.vmState(format, (int) each.vmStateSizeBytes()));
                }
            }
        }
        return states;
    }

    private static void sizes(List<Change> all) {
        Change.Step grow = work -> work.run(Kind.GROW, 0, 50 + work.random().nextInt(900));
        all.add(Change.of("grow", List.of(Need.NO_BACKING), grow));
        all.add(Change.of("grow over a longer backing file", List.of(Need.LONGER_BACKING), grow));
        all.add(Change.of(
                        "grow sub-clusters over a longer backing file",
                        List.of(Need.LONGER_BACKING, Need.SUBCLUSTERS),
                        grow)
                .after(work -> {
                    work.run(Kind.WRITE, Operation.PLACES - 2, 40);
                    work.run(Kind.SNAPSHOT_CREATE);
                }));
        all.add(Change.of(
                        "grow over snapshots",
                        List.of(Need.SNAPSHOTS, Need.VERSION_3),
                        work -> work.run(Kind.GROW, 0, 900))
                .after(steps(Kind.WRITE, Kind.SNAPSHOT_CREATE)));
        for (Preallocation mode : List.of(Preallocation.METADATA, Preallocation.FALLOC, Preallocation.FULL)) {
            String name = "grow with " + mode.toString().toLowerCase(Locale.ROOT);
            Change.Step growPreallocated = work -> {
                long length = work.machine().model().lengthBytes()
                        + 512L * (1 + work.random().nextInt(120));
                work.machine()
                        .change(
                                () -> work.machine().history().beginResize(length),
                                () -> work.machine().image().resize(length, mode));
            };
            all.add(Change.of(name, List.of(Need.VERSION_3), growPreallocated));
            all.add(Change.of(
                    name + " over a longer backing file",
                    List.of(Need.VERSION_3, Need.LONGER_BACKING),
                    growPreallocated));
            // in version 2 no disk with snapshots changes its size
            all.add(Change.of(name + ", version 2", List.of(Need.VERSION_2, Need.PLAIN), growPreallocated));
        }
        // a size put down by others leaves the rest of the last cluster, and clusters behind it
        all.add(Change.of("grow over what lies behind the end", List.of(Need.PLAIN), work -> {
                    long length =
                            work.machine().model().lengthBytes() + work.shape().clusterBytes() / 512 * 512L;
                    work.machine()
                            .change(
                                    () -> work.machine().history().beginResize(length),
                                    () -> work.machine().image().resize(length));
                })
                .after(work -> {
                    work.run(Kind.WRITE_CLUSTERS, Operation.PLACES - 1, 0);
                    work.run(Kind.FLUSH);
                })
                .with((image, random) -> image.putU64(24, image.sizeBytes() - 512L * (1 + random.nextInt(4)))));
        all.add(Change.of(
                        "shrink",
                        List.of(Need.PLAIN),
                        work -> work.run(Kind.SHRINK, 0, 60 + work.random().nextInt(240)))
                .after(steps(Kind.WRITE_CLUSTERS, Kind.WRITE, Kind.WRITE_CLUSTERS)));
    }

    /** Tables that become too short on the way. */
    private static void tables(List<Change> all) {
        all.add(Change.of("grow the L1 table", List.of(Need.SMALL_CLUSTERS, Need.PLAIN), work -> {
            RawImage raw = new RawImage(work.file());
            long before = raw.l1Table();
            // an entry for each 32 KiB
            long length = ((long) raw.u32(36) << 15) + 512L * (1 + work.random().nextInt(100));
            work.machine()
                    .change(
                            () -> work.machine().history().beginResize(length),
                            () -> work.machine().image().resize(length));
            assertNotEquals(before, raw.l1Table(), "the L1 table is where it was");
        }));
        all.add(Change.of("add refcount blocks that count themselves", List.of(Need.SMALL_BLOCKS, Need.ALONE), work -> {
            RawImage raw = new RawImage(work.file());
            int[] before = raw.refcountBlocks();
            writeClusters(work, (before[0] * 64L << 9) + 4096);
            int[] after = raw.refcountBlocks();
            assertTrue(after[0] > before[0], "no block was added");
            assertTrue(after[1] > before[1], "no block counts itself");
        }));
        all.add(Change.of("grow the refcount table", List.of(Need.FULL_TABLE, Need.PLAIN, Need.ALONE), work -> {
                    RawImage raw = new RawImage(work.file());
                    long before = raw.refcountTable();
                    writeClusters(work, work.file().lengthBytes() + (8 << 10));
                    assertNotEquals(before, raw.refcountTable(), "the refcount table is where it was");
                })
                .after(work -> writeClusters(work, (64L * 64 << 9) - (6 << 10))));
        all.add(Change.of(
                        "grow the refcount table for a snapshot",
                        List.of(Need.FULL_TABLE, Need.PLAIN, Need.ALONE),
                        work -> {
                            RawImage raw = new RawImage(work.file());
                            long before = raw.refcountTable();
                            work.run(Kind.SNAPSHOT_CREATE, 0, 4);
                            assertNotEquals(before, raw.refcountTable(), "the refcount table is where it was");
                        })
                .after(work -> writeClusters(work, (64L * 64 << 9) - (1 << 10))));
    }

    /** New clusters, until the file is that long; flushed. */
    private static void writeClusters(ChangeWork work, long fileBytes) throws BlockException {
        ImageMachine machine = work.machine();
        long least = work.shape().sizeBytes();
        if (machine.model().lengthBytes() < least) {
            machine.change(
                    () -> machine.history().beginResize(least),
                    () -> machine.image().resize(least));
        }
        int pieces = (int) (machine.model().lengthBytes() / 512 / 5);
        for (int i = 0; work.file().lengthBytes() < fileBytes; i++) {
            long place = (long) Operation.PLACES * (i % pieces) / pieces;
            work.run(Kind.WRITE_CLUSTERS, (int) place, fileBytes - work.file().lengthBytes() > 4096 ? 4 : 0);
            work.run(Kind.FLUSH);
            if (i > 2 * pieces) {
                throw new AssertionError(
                        "the file does not get longer than " + work.file().lengthBytes());
            }
        }
    }

    private static Change.Step amended(String... options) {
        return work -> {
            Map<String, String> all = new LinkedHashMap<>();
            for (int i = 0; i < options.length; i += 2) {
                all.put(options[i], options[i + 1]);
            }
            work.machine().image().amend(all);
        };
    }

    private static void amendments(List<Change> all) {
        all.add(Change.of("amend compat=0.10", List.of(Need.VERSION_3, Need.PLAIN), amended("compat", "0.10"))
                .after(EveryChange::narrowed)
                .all(RawFacts::header));
        all.add(Change.of(
                        "amend compat=0.10 with a long name", List.of(Need.VERSION_3, Need.PAGES, Need.PLAIN), work -> {
                            work.run(Kind.ZERO);
                            amended("compat", "0.10").on(work);
                        })
                .after(EveryChange::longName)
                .all(RawFacts::header));
        all.add(Change.of("amend compat=1.1", List.of(Need.VERSION_2), amended("compat", "1.1"))
                .all(RawFacts::header));
        all.add(Change.of(
                        "amend compat=1.1 with a long name",
                        List.of(Need.VERSION_2, Need.PAGES),
                        amended("compat", "1.1"))
                .after(EveryChange::longName)
                .all(RawFacts::header));
        for (int bits : new int[] {1, 2, 4, 8, 16, 32, 64}) {
            all.add(Change.of(
                            "amend refcount_bits=" + bits,
                            bits < 8 ? List.of(Need.VERSION_3, Need.PLAIN) : List.of(Need.VERSION_3),
                            amended("refcount_bits", Integer.toString(bits)))
                    .all(RawFacts::header));
        }
        all.add(Change.of(
                        "amend lazy_refcounts",
                        List.of(Need.VERSION_3),
                        work -> amended("lazy_refcounts", work.shape().lazyRefcounts() ? "off" : "on")
                                .on(work))
                .all(RawFacts::header));
        all.add(Change.of("amend size", List.of(), work -> {
            long length = work.machine().model().lengthBytes()
                    + (work.random().nextBoolean()
                                            && work.machine()
                                                    .model()
                                                    .snapshots()
                                                    .isEmpty()
                                    ? -512
                                    : 512)
                            * (1L + work.random().nextInt(100));
            if (work.shape().allows(Kind.GROW, work.machine().model())) {
                work.machine()
                        .change(
                                () -> work.machine().history().beginResize(length),
                                () -> work.machine().image().amend(Map.of("size", Long.toString(length))));
            }
        }));
    }

    /** Counts as version 2 has them. */
    private static void narrowed(ChangeWork work) throws Exception {
        work.whileClosed(closed -> {
            try (DirectFormat image = closed.open()) {
                image.amend(Map.of("refcount_bits", "16"));
            }
        });
    }

    /** The name of the backing file lies in later sectors of the first cluster. */
    private static void longName(ChangeWork work) throws Exception {
        work.capability(BackingChangeable.class).changeBacking(new ImageReference("n".repeat(700), "raw"));
        narrowed(work);
    }

    private static void names(List<Change> all) {
        for (int length : new int[] {9, 300, 900}) {
            all.add(Change.of(
                            "name a backing file, " + length,
                            length == 9 ? List.of() : List.of(Need.PAGES),
                            work -> work.capability(BackingChangeable.class)
                                    .changeBacking(new ImageReference("m".repeat(length), "qcow2")))
                    .all(RawFacts::header));
        }
        all.add(Change.of("name no backing file", List.of(Need.BACKING, Need.PLAIN), work -> {
                    // all is written first: the content does not change with the name
                    long length = work.machine().model().lengthBytes();
                    byte[] content = work.machine().model().disk().read(0, (int) length);
                    work.machine().image().write(0, content);
                    work.run(Kind.FLUSH);
                    work.capability(BackingChangeable.class).changeBacking(null);
                })
                .all(RawFacts::header));
        all.add(Change.of(
                        "make empty",
                        List.of(),
                        work -> work.machine()
                                .change(
                                        () -> work.machine()
                                                .history()
                                                .beginReplace(work.shape().backingContent()),
                                        () -> work.capability(Emptiable.class).makeEmpty()))
                .after(steps(Kind.WRITE_CLUSTERS, Kind.WRITE)));
    }

    private static void bitmaps(List<Change> all) {
        List<Need> can = List.of(Need.VERSION_3, Need.NO_BACKING, Need.ALONE);
        ChangeWork.GraphStep two = backend -> {
            NodeBitmaps bitmaps = backend.root().bitmaps();
            bitmaps.createPersistent("a", 512).set(0, 2000);
            bitmaps.createPersistent("b", 4096);
        };
        all.add(inGraph("add a bitmap", can, two));
        all.add(inGraph("remove a bitmap", can, backend -> {
                    NodeBitmaps bitmaps = backend.root().bitmaps();
                    bitmaps.remove(bitmaps.require("a"));
                })
                .after(work -> work.inGraph(two)));
        all.add(inGraph("remove all bitmaps", can, backend -> {
                    NodeBitmaps bitmaps = backend.root().bitmaps();
                    bitmaps.remove(bitmaps.require("a"));
                    bitmaps.remove(bitmaps.require("b"));
                })
                .after(work -> work.inGraph(two)));
        all.add(inGraph("change bitmaps", can, EveryChange::changeBitmaps).after(work -> work.inGraph(two)));
        all.add(Change.of("write with bitmaps", can, work -> {
                    int at = work.random().nextInt(1000) * 4;
                    byte[] bytes = work.machine().model().disk().read(at, 2000);
                    work.inGraph(backend -> backend.write(at, MemorySegment.ofArray(bytes)));
                })
                .after(work -> work.inGraph(two))
                .all(RawFacts::bitmaps));
        List<Need> paged = List.of(Need.VERSION_3, Need.NO_BACKING, Need.PAGES, Need.ALONE);
        Change.Step inTwoSectors = work -> {
            work.whileClosed(closed -> RawFacts.shortenFeatureNames(new RawImage(closed.file())));
            work.inGraph(two);
        };
        all.add(inGraph("change bitmaps, their extension in two sectors", paged, EveryChange::changeBitmaps)
                .after(inTwoSectors));
        all.add(inGraph(
                        "add a bitmap, the extension in two sectors",
                        paged,
                        backend -> backend.root().bitmaps().createPersistent("c", 1024))
                .after(inTwoSectors)
                .all(RawFacts::bitmapsIfAny));
    }

    private static Change inGraph(String name, List<Need> needs, ChangeWork.GraphStep step) {
        return Change.of(name, needs, work -> work.inGraph(step)).all(RawFacts::bitmaps);
    }

    private static void changeBitmaps(BlockBackend backend) throws BlockException {
        NodeBitmaps bitmaps = backend.root().bitmaps();
        DirtyBitmap a = bitmaps.require("a");
        DirtyBitmap b = bitmaps.require("b");
        b.merge(List.of(a));
        a.clear();
        a.disable();
    }

    private static void openings(List<Change> all) {
        all.add(Change.of("close and open", List.of(), work -> {
            work.run(Kind.WRITE, Kind.WRITE_CLUSTERS, Kind.REOPEN);
        }));
        all.add(Change.of("open with unknown autoclear bits", List.of(Need.VERSION_3), steps(Kind.WRITE, Kind.FLUSH))
                .with((image, random) -> image.put(88, (byte) 0x80)));
        all.add(Change.of(
                        "open with bitmaps that are void", List.of(Need.VERSION_3, Need.NO_BACKING), steps(Kind.WRITE))
                .after(work -> work.inGraph(backend -> backend.root().bitmaps().createPersistent("a", 512)))
                .with((image, random) -> image.putU64(88, 0)));
        all.add(Change.of("open a dirty image", List.of(Need.VERSION_3), steps(Kind.WRITE, Kind.FLUSH))
                .damaged((image, random) -> image.put(79, (byte) (image.bytes(79, 1)[0] | 1))));
    }

    private static void repairs(List<Change> all) {
        List<Need> counted = List.of(Need.VERSION_2, Need.SMALL_CLUSTERS, Need.PLAIN);
        Change.Step content = work -> {
            work.run(Kind.WRITE_CLUSTERS, 0, 3);
            work.run(Kind.WRITE, Kind.SNAPSHOT_CREATE, Kind.WRITE_CLUSTERS, Kind.FLUSH);
        };
        all.add(Change.of("repair leaks", List.of(Need.COUNTS_16), repaired(Repair.LEAKS))
                .after(content)
                .with((image, random) -> image.putCount(image.l1Table() >> image.clusterBits(), 3)));
        for (RepairCrashTest.Damage damage : List.of(
                RepairCrashTest.Damage.BLOCK_LOST,
                RepairCrashTest.Damage.COUNTS_RANDOM,
                RepairCrashTest.Damage.FLAGS_WRONG)) {
            String name = "repair " + damage.toString().toLowerCase(Locale.ROOT);
            all.add(Change.of(name, counted, repaired(Repair.ALL))
                    .after(content)
                    .damaged((image, random) -> damage.inflict(image.file(), random)));
        }
        // a cluster that is not counted would be taken for another use
        all.add(Change.of("mark as corrupt", List.of(Need.VERSION_3, Need.COUNTS_16), EveryChange::writeUntilMarked)
                .damaged((image, random) -> image.putCount(image.l1Table() >> image.clusterBits(), 0)));
    }

    private static Change.Step repaired(Repair repair) {
        return work -> work.whileClosed(closed -> check(closed, repair));
    }

    private static void check(ChangeWork closed, Repair repair) throws BlockException {
        try (DirectFormat image = closed.open(Flag.CHECK)) {
            image.check(repair);
        }
    }

    /** Everything is written as it is, until the driver sees that the place for it is taken; then the image is repaired. */
    private static void writeUntilMarked(ChangeWork work) throws Exception {
        SparseBytes content = work.machine().model().disk().fork();
        work.whileClosed(closed -> {
            try (DirectFormat image = closed.open(Flag.UNMAP)) {
                int step = closed.shape().clusterBytes();
                assertThrows(BlockException.class, () -> {
                    for (long at = 0; at < content.lengthBytes(); at += step) {
                        image.write(at, content.read(at, (int) Math.min(step, content.lengthBytes() - at)));
                    }
                    image.createSnapshot("needs clusters in any case");
                });
            }
            check(closed, Repair.ALL);
        });
    }
}
