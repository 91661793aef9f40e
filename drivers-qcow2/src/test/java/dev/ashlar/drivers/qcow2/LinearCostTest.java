package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.Emptiable;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.SnapshotComparable;
import dev.ashlar.core.spi.SnapshotRenamable;
import dev.ashlar.drivers.qcow2.Growth.Cost;
import dev.ashlar.drivers.qcow2.Growth.Operation;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * No operation is quadratic in snapshots or clusters: for four times as many, calls and bytes of I/O and memory that is allocated are at most four times as
 * much, with a margin. There is no clock here. {@code -Dashlar.showCosts=true} prints what was counted.
 */
class LinearCostTest {
    private static final int CLUSTER = ManySnapshots.CLUSTER_BYTES;
    private static final double MARGIN = 1.3;
    private static final Map<String, SparseBytes> IMAGES = new HashMap<>();

    /** Data of the n-th cluster; every fourth is hard to compress. */
    private static byte[] content(int number) {
        byte[] bytes = new byte[CLUSTER];
        if (number % 4 == 0) {
            new java.util.Random(number).nextBytes(bytes);
        } else {
            Arrays.fill(bytes, (byte) (number | 1));
        }
        return bytes;
    }

    private static SparseBytes kept(String name, int count, Growth.Source source) throws BlockException {
        SparseBytes known = IMAGES.get(name + count);
        if (known == null) {
            known = source.image(count);
            IMAGES.put(name + count, known);
        }
        return known;
    }

    private static SparseBytes snapshots(int count) throws BlockException {
        return kept("snapshots", count, ManySnapshots::image);
    }

    private static SparseBytes created(int count, String refcountBits) throws BlockException {
        MemoryFile file = MemoryFile.empty("disk");
        MemoryProtocol protocol = new MemoryProtocol(file);
        DirectFormat.create(
                new Qcow2Driver(),
                protocol,
                Map.of(
                        "size", Long.toString((long) count * CLUSTER),
                        "cluster_size", Integer.toString(CLUSTER),
                        "refcount_bits", refcountBits));
        protocol.close();
        return file.snapshot();
    }

    private static SparseBytes empty(int count) throws BlockException {
        return kept("empty", count, n -> created(n, "16"));
    }

    /** All clusters of the disk have data. */
    private static SparseBytes full(int count) throws BlockException {
        return kept("full", count, n -> {
            MemoryFile file = MemoryFile.of("disk", empty(n).fork());
            try (DirectFormat disk = DirectFormat.open(new Qcow2Driver(), new MemoryProtocol(file))) {
                for (int i = 0; i < n; i++) {
                    disk.write((long) i * CLUSTER, content(i));
                }
            }
            return file.snapshot();
        });
    }

    /** As {@link #full}, but the header names no refcount table that could be used. */
    private static SparseBytes uncounted(int count) throws BlockException {
        SparseBytes image = full(count).fork();
        long table = java.nio.ByteBuffer.wrap(image.read(48, 8)).getLong();
        image.write(table, new byte[CLUSTER], 0, 8);
        return image;
    }

    private static SnapshotInfo middle(DirectFormat disk) throws BlockException {
        List<SnapshotInfo> all = disk.snapshots().snapshots();
        return all.get(all.size() / 2);
    }

    private static <T> T capability(DirectFormat disk, Class<T> type) {
        return disk.format().capability(type).orElseThrow();
    }

    private static void requireClean(CheckReport report) {
        assertEquals(0, report.corruptions() + report.checkErrors() + report.leaks(), report::toString);
    }

    static Stream<Operation> inSnapshots() {
        return Stream.of(
                inSnapshots(
                        "list",
                        (disk, n) ->
                                assertEquals(n, disk.snapshots().snapshots().size())),
                inSnapshots(
                        "find", (disk, n) -> disk.snapshots().snapshotIndex().position("", ManySnapshots.name(n))),
                inSnapshots("check", (disk, n) -> requireClean(disk.check(Repair.NONE))),
                inSnapshots("read a snapshot", (disk, n) -> disk.content(middle(disk))),
                inSnapshots("write", (disk, n) -> disk.write(0, content(0))),
                inSnapshots("create", (disk, n) -> disk.createSnapshot("new")),
                inSnapshots("create, prepared", (disk, n) -> {
                    disk.snapshots().prepareCreate();
                    disk.createSnapshot("new");
                }),
                inSnapshots("apply", (disk, n) -> disk.snapshots().applySnapshot(middle(disk))),
                inSnapshots("delete", (disk, n) -> disk.snapshots().deleteSnapshot(middle(disk))),
                inSnapshots(
                        "rename",
                        (disk, n) -> capability(disk, SnapshotRenamable.class).renameSnapshot(middle(disk), "other")),
                inSnapshots(
                        "compare",
                        (disk, n) -> capability(disk, SnapshotComparable.class)
                                .difference(null, middle(disk), (offset, length) -> {})),
                inSnapshots(
                        "usage",
                        (disk, n) -> capability(disk, SnapshotComparable.class).usage(middle(disk))),
                inSnapshots("grow", (disk, n) -> disk.resize(1 << 20)),
                inSnapshots(
                        "empty", (disk, n) -> capability(disk, Emptiable.class).makeEmpty()),
                inSnapshots("amend refcount_bits", (disk, n) -> disk.amend(Map.of("refcount_bits", "64"))));
    }

    private static Operation inSnapshots(String name, Growth.Work measured) {
        return new Operation(name, LinearCostTest::snapshots, measured);
    }

    static Stream<Operation> inClusters() {
        Growth.Work snapshot = (disk, n) -> disk.createSnapshot("old");
        Growth.Work holes = (disk, n) -> {
            for (int i = 0; i < n; i += 2) {
                disk.discard((long) i * CLUSTER, CLUSTER);
            }
        };
        return Stream.of(
                new Operation("write", LinearCostTest::empty, LinearCostTest::writeAll),
                new Operation("write, flushed each time", LinearCostTest::empty, (disk, n) -> {
                    for (int i = 0; i < n; i++) {
                        disk.write((long) i * CLUSTER, content(i));
                        disk.flush();
                    }
                }),
                new Operation("write in another order", LinearCostTest::empty, (disk, n) -> {
                    for (int i = 0; i < n; i++) {
                        disk.write(i * 37L % n * CLUSTER, content(i));
                    }
                }),
                new Operation("write in place", LinearCostTest::full, LinearCostTest::writeAll),
                new Operation("write over a snapshot", LinearCostTest::full, snapshot, LinearCostTest::writeAll),
                new Operation("write into holes", LinearCostTest::full, holes, (disk, n) -> {
                    for (int i = 0; i < n; i += 2) {
                        disk.write((long) i * CLUSTER, content(i));
                    }
                }),
                new Operation("exchange clusters, flushed each time", LinearCostTest::full, (disk, n) -> {
                    for (int i = 0; i < n; i++) {
                        disk.discard((long) i * CLUSTER, CLUSTER);
                        disk.flush();
                        disk.write((long) i * CLUSTER, content(i));
                        disk.flush();
                    }
                }),
                new Operation("write compressed", LinearCostTest::empty, LinearCostTest::compressAll),
                new Operation(
                        "write over compressed", LinearCostTest::empty, LinearCostTest::compressAll, (disk, n) -> {
                            for (int i = 0; i < n; i++) {
                                disk.write((long) i * CLUSTER, content(i));
                            }
                        }),
                new Operation("read", LinearCostTest::full, (disk, n) -> disk.content()),
                new Operation(
                        "zero", LinearCostTest::full, (disk, n) -> disk.writeZeroes(0, (long) n * CLUSTER, false)),
                new Operation(
                        "zero and unmap",
                        LinearCostTest::full,
                        (disk, n) -> disk.writeZeroes(0, (long) n * CLUSTER, true)),
                new Operation("discard", LinearCostTest::full, (disk, n) -> disk.discard(0, (long) n * CLUSTER)),
                new Operation("discard every other, flushed each time", LinearCostTest::full, (disk, n) -> {
                    for (int i = 0; i < n; i += 2) {
                        disk.discard((long) i * CLUSTER, CLUSTER);
                        disk.flush();
                    }
                }),
                new Operation(
                        "discard over a snapshot",
                        LinearCostTest::full,
                        snapshot,
                        (disk, n) -> disk.discard(0, (long) n * CLUSTER)),
                new Operation("check", LinearCostTest::full, (disk, n) -> requireClean(disk.check(Repair.NONE))),
                new Operation(
                        "check of holes",
                        LinearCostTest::full,
                        holes,
                        (disk, n) -> requireClean(disk.check(Repair.NONE))),
                new Operation("rebuild counts", LinearCostTest::uncounted, (disk, n) -> {
                    disk.check(Repair.ALL);
                    requireClean(disk.check(Repair.NONE));
                }),
                new Operation("grow", LinearCostTest::full, (disk, n) -> disk.resize(3L * n * CLUSTER)),
                new Operation(
                        "grow with metadata",
                        LinearCostTest::empty,
                        (disk, n) -> disk.resize(32L * n * CLUSTER, Preallocation.METADATA)),
                new Operation("shrink", LinearCostTest::full, (disk, n) -> disk.resize(CLUSTER)),
                new Operation("shrink holes", LinearCostTest::full, holes, (disk, n) -> disk.resize(CLUSTER)),
                new Operation(
                        "empty",
                        LinearCostTest::full,
                        (disk, n) -> capability(disk, Emptiable.class).makeEmpty()),
                new Operation("create a snapshot", LinearCostTest::full, (disk, n) -> disk.createSnapshot("new")),
                new Operation("create a prepared snapshot", LinearCostTest::full, (disk, n) -> {
                    disk.snapshots().prepareCreate();
                    disk.createSnapshot("new");
                }),
                new Operation(
                        "apply a snapshot", LinearCostTest::full, snapshot, (disk, n) -> disk.applySnapshot("old")),
                new Operation(
                        "delete a snapshot", LinearCostTest::full, snapshot, (disk, n) -> disk.deleteSnapshot("old")),
                new Operation(
                        "compare",
                        LinearCostTest::full,
                        snapshot,
                        (disk, n) -> capability(disk, SnapshotComparable.class)
                                .difference(null, middle(disk), (offset, length) -> {})),
                new Operation(
                        "amend refcount_bits",
                        LinearCostTest::full,
                        (disk, n) -> disk.amend(Map.of("refcount_bits", "64"))),
                new Operation(
                        "amend compat",
                        LinearCostTest::full,
                        (disk, n) -> disk.writeZeroes(0, (long) n * CLUSTER / 2, false),
                        (disk, n) -> disk.amend(Map.of("compat", "0.10"))));
    }

    private static void writeAll(DirectFormat disk, int count) throws BlockException {
        for (int i = 0; i < count; i++) {
            disk.write((long) i * CLUSTER, content(i));
        }
    }

    private static void compressAll(DirectFormat disk, int count) throws BlockException {
        for (int i = 0; i < count; i++) {
            disk.writeCompressed((long) i * CLUSTER, content(i), () -> {});
        }
    }

    @ParameterizedTest
    @MethodSource
    void inSnapshots(Operation operation) throws Exception {
        requireLinear(operation, 512, 2048, 8192);
    }

    @ParameterizedTest
    @MethodSource
    void inClusters(Operation operation) throws Exception {
        requireLinear(operation, 1024, 4096, 16_384);
    }

    private static void requireLinear(Operation operation, int... counts) throws BlockException {
        // classes are loaded here
        Growth.cost(operation, counts[0] / 4);
        Cost before = Growth.cost(operation, counts[0]);
        StringBuilder table = new StringBuilder(operation + ": " + before);
        boolean within = true;
        for (int i = 1; i < counts.length; i++) {
            Cost cost = Growth.cost(operation, counts[i]);
            table.append(", ").append(cost);
            within &= cost.isWithin(MARGIN * counts[i] / counts[i - 1], before);
            before = cost;
        }
        if (Boolean.getBoolean("ashlar.showCosts")) {
            System.out.println(table);
        }
        assertTrue(within, table::toString);
    }
}
