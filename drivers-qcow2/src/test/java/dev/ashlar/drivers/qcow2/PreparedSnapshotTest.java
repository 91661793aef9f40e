package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.CreateReport;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.snapshot.Snapshots;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.SnapshotCapable;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryDriver;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What is counted before a snapshot is taken, while requests go on, is what the snapshot holds in the end: no more, no less. */
@Timeout(60)
class PreparedSnapshotTest {
    private static final int CLUSTER = 4096;
    /** What one L2 table covers. */
    private static final int TABLE = CLUSTER / 8 * CLUSTER;

    private static final int TABLES = 6;

    private final BlockGraph graph = BlockGraph.create(List.of(new MemoryDriver(), new Qcow2Driver()));

    private BlockBackend disk(int refcountBits) throws BlockException {
        return disk(refcountBits, Map.of());
    }

    private BlockBackend disk(int refcountBits, Map<String, String> openOptions) throws BlockException {
        Map<String, String> options = Map.of(
                "size",
                Integer.toString(TABLES * TABLE),
                "cluster_size",
                Integer.toString(CLUSTER),
                "refcount_bits",
                Integer.toString(refcountBits));
        graph.createImage("memory:disk", "qcow2", options);
        return graph.open(
                "memory:disk",
                OpenOptions.readWrite()
                        .format("qcow2")
                        .nodeName("disk")
                        .unmap(true)
                        .driverOptions(openOptions));
    }

    private static void put(BlockBackend disk, long offset, int value) throws BlockException {
        disk.write(offset, MemorySegment.ofArray(new int[] {value}));
    }

    private static int get(BlockBackend disk, long offset) throws BlockException {
        int[] value = new int[1];
        disk.read(offset, MemorySegment.ofArray(value));
        return value[0];
    }

    /** Tables that are counted for a snapshot and still the live disk's may be written by either. */
    @Test
    void everyOverlapCheckLetsSnapshotsBeTaken() throws Exception {
        try (BlockBackend disk = disk(16, Map.of("overlap-check", "all"))) {
            for (int round = 0; round < 3; round++) {
                put(disk, (long) round * TABLE, round + 1);
                put(disk, 5L * TABLE, round + 1);
                disk.flush();
                SnapshotCapable capable =
                        disk.root().capability(SnapshotCapable.class).orElseThrow();
                capable.prepareCreate();
                put(disk, (long) round * TABLE + CLUSTER, 7);
                SnapshotInfo info = capable.createSnapshot(SnapshotRequest.named("s" + round));
                put(disk, (long) round * TABLE, 9);
                disk.flush();
                disk.snapshots().apply(info);
                assertEquals(round + 1, get(disk, (long) round * TABLE));
                assertEquals(7, get(disk, (long) round * TABLE + CLUSTER));
                Disks.requireSound(disk, false);
            }
        }
    }

    @Test
    void writesBetweenAreInTheSnapshot() throws Exception {
        try (BlockBackend disk = disk(16)) {
            for (int table = 0; table < TABLES; table++) {
                put(disk, (long) table * TABLE, 1);
            }
            SnapshotCapable capable =
                    disk.root().capability(SnapshotCapable.class).orElseThrow();
            capable.prepareCreate();
            put(disk, 0, 2);
            put(disk, 4 * CLUSTER, 3);
            put(disk, 2L * TABLE + 8 * CLUSTER, 4);
            disk.writeZeroes(3L * TABLE, CLUSTER, true);
            disk.flush();
            put(disk, CLUSTER, 5);
            SnapshotInfo info = capable.createSnapshot(SnapshotRequest.named("s"));
            put(disk, 0, 6);
            put(disk, 5L * TABLE, 7);
            try (BlockBackend view = disk.snapshots().open(info)) {
                assertEquals(2, get(view, 0));
                assertEquals(5, get(view, CLUSTER));
                assertEquals(3, get(view, 4 * CLUSTER));
                assertEquals(4, get(view, 2L * TABLE + 8 * CLUSTER));
                assertEquals(1, get(view, TABLE));
                assertEquals(0, get(view, 3L * TABLE));
                assertEquals(1, get(view, 5L * TABLE));
            }
            Disks.requireSound(disk, false);
            disk.snapshots().delete(info);
            Disks.requireSound(disk, false);
        }
    }

    /** A write that was planned before, and ends after: its table is not shared under its hands. */
    @Test
    void aWriteAcrossThePreparation() throws Exception {
        MemoryFile file = MemoryFile.empty("disk");
        MemoryProtocol protocol = new MemoryProtocol(file);
        Qcow2Driver driver = new Qcow2Driver();
        DirectFormat.create(driver, protocol, Map.of("size", Integer.toString(TABLES * TABLE), "cluster_size", "4096"));
        protocol.close();
        byte[] old = filled(1);
        byte[] late = filled(2);
        try (DirectFormat image = DirectFormat.open(driver, new MemoryProtocol(file))) {
            image.write(0, old);
            image.flush();
            DirectFormat.StartedWrite kept = image.start(2 * CLUSTER, late, 0);
            DirectFormat.StartedWrite given = image.start(4 * CLUSTER, late, 0);
            image.snapshots().prepareCreate();
            kept.finish();
            given.plan().abort();
            image.createSnapshot("s");
            image.write(0, filled(3));
            SparseBytes content = image.content(image.snapshot("s"));
            assertArrayEquals(old, content.read(0, CLUSTER));
            assertArrayEquals(late, content.read(2 * CLUSTER, CLUSTER));
            image.flush();
            image.flush();
            CheckReport report = image.check(Repair.NONE);
            assertEquals(0, report.corruptions() + report.leaks(), report::toString);
        }
    }

    private static byte[] filled(int value) {
        byte[] bytes = new byte[CLUSTER];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    /** No counts, no missing flags, and no copies are left of one that was not taken. */
    @Test
    void abandoned() throws Exception {
        try (BlockBackend disk = disk(16)) {
            for (int table = 0; table < TABLES; table++) {
                put(disk, (long) table * TABLE, 1);
            }
            SnapshotCapable capable =
                    disk.root().capability(SnapshotCapable.class).orElseThrow();
            capable.prepareCreate();
            put(disk, 0, 2);
            capable.abandonCreate();
            Disks.requireSound(disk, false);
            assertEquals(2, get(disk, 0));
            put(disk, TABLE, 3);
            disk.flush();
            disk.flush();
            Disks.requireSound(disk, false);
        }
    }

    /** A count of one bit: the snapshot is refused, and nothing has changed. */
    @Test
    void overflowIsRefused() throws Exception {
        try (BlockBackend disk = disk(1)) {
            put(disk, 0, 1);
            put(disk, TABLE, 2);
            BlockException e = assertThrows(BlockException.class, () -> Disks.create(disk.snapshots(), "s"));
            assertEquals(Kind.INVALID, e.kind(), e.getMessage());
            assertEquals(List.of(), disk.snapshots().list());
            Disks.requireSound(disk, false);
            put(disk, 0, 3);
            disk.flush();
            Disks.requireSound(disk, false);
        }
    }

    @Test
    void theStandstillIsReported() throws Exception {
        try (BlockBackend disk = disk(16)) {
            put(disk, 0, 1);
            long begin = System.nanoTime();
            CreateReport report = disk.snapshots().createReported(SnapshotRequest.named("s"));
            long all = System.nanoTime() - begin;
            assertEquals("s", report.snapshot().name());
            assertTrue(report.standstillNanos() > 0 && report.standstillNanos() < all, report::toString);
        }
    }

    /** A number goes round all tables while snapshots are taken: each shows one instant, and every cluster is counted as it should be. */
    @Test
    void whileOthersWrite() throws Exception {
        try (BlockBackend disk = disk(16)) {
            AtomicBoolean stop = new AtomicBoolean();
            AtomicReference<Exception> failure = new AtomicReference<>();
            Thread counter = Thread.ofPlatform().start(() -> count(disk, stop, failure));
            Thread noise = Thread.ofPlatform().start(() -> writeAnywhere(disk, stop, failure));
            Snapshots snapshots = disk.snapshots();
            List<SnapshotInfo> taken = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                taken.add(Disks.create(snapshots, "s" + i));
                if (taken.size() > 6) {
                    snapshots.delete(taken.remove(i % 6));
                }
            }
            stop.set(true);
            counter.join();
            noise.join();
            if (failure.get() != null) {
                throw failure.get();
            }
            for (SnapshotInfo info : taken) {
                try (BlockBackend view = snapshots.open(info)) {
                    int[] seen = new int[TABLES];
                    for (int table = 0; table < TABLES; table++) {
                        seen[table] = get(view, (long) table * TABLE);
                    }
                    int[] sorted = seen.clone();
                    Arrays.sort(sorted);
                    for (int table = 0; table < TABLES; table++) {
                        assertEquals(sorted[TABLES - 1 - table], seen[table], () -> Arrays.toString(seen));
                    }
                    assertTrue(seen[0] - seen[TABLES - 1] <= 1, () -> Arrays.toString(seen));
                }
            }
            disk.flush();
            disk.flush();
            Disks.requireSound(disk, false);
            while (!taken.isEmpty()) {
                snapshots.delete(taken.remove(0));
            }
            Disks.requireSound(disk, false);
        }
    }

    private static void count(BlockBackend disk, AtomicBoolean stop, AtomicReference<Exception> failure) {
        try {
            for (int i = 1; !stop.get(); i++) {
                for (int table = 0; table < TABLES; table++) {
                    put(disk, (long) table * TABLE, i);
                }
            }
        } catch (BlockException | RuntimeException e) {
            failure.set(e);
        }
    }

    private static void writeAnywhere(BlockBackend disk, AtomicBoolean stop, AtomicReference<Exception> failure) {
        Random random = new Random(7);
        try {
            while (!stop.get()) {
                // the first cluster of each table is the counter's
                long at = random.nextLong((long) TABLES * TABLE - 2 * CLUSTER);
                long inTable = Math.max(CLUSTER, at % TABLE);
                byte[] bytes = new byte[1 + random.nextInt(2 * CLUSTER)];
                int length = (int) Math.min(bytes.length, TABLE - inTable);
                if (random.nextInt(6) == 0) {
                    disk.discard(at / TABLE * TABLE + inTable, length);
                } else {
                    disk.write(
                            at / TABLE * TABLE + inTable,
                            MemorySegment.ofArray(bytes).asSlice(0, length));
                }
                if (random.nextInt(50) == 0) {
                    disk.flush();
                }
            }
        } catch (BlockException | RuntimeException e) {
            failure.set(e);
        }
    }

    @Test
    void manyPassesChangeNoByte() throws Exception {
        try (BlockBackend disk = disk(16)) {
            byte[] content = new byte[3 * TABLE];
            new Random(1).nextBytes(content);
            disk.write(0, MemorySegment.ofArray(content));
            SnapshotCapable capable =
                    disk.root().capability(SnapshotCapable.class).orElseThrow();
            for (int i = 0; i < 5; i++) {
                capable.prepareCreate();
            }
            capable.createSnapshot(SnapshotRequest.named("s"));
            byte[] found = new byte[content.length];
            disk.read(0, MemorySegment.ofArray(found));
            assertArrayEquals(content, found);
            Disks.requireSound(disk, false);
        }
    }
}
