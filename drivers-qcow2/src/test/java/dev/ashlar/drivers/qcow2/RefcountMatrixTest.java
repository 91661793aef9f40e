package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.drivers.qcow2.Qcow2Picture.Reference;
import dev.ashlar.drivers.qcow2.Qcow2Picture.Use;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.host.Command;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Every width of refcounts with every cluster size: snapshots until a count is full, refused then without a trace; L1 tables and refcount tables that get longer.
 */
class RefcountMatrixTest {
    private static final int[] WIDTHS = {1, 2, 4, 8, 16, 32, 64};
    /** With more snapshots than these the count is raised by hand instead. */
    private static final int MOST_SNAPSHOTS = 16;

    /** Data that fills refcount blocks and tables. */
    private static final long MOST_DATA_BYTES = 6 << 20;

    private record Cell(int bits, int clusterBytes) {
        long l2CoverageBytes() {
            return (long) clusterBytes * clusterBytes / 8;
        }

        /** All ones, unsigned. */
        long full() {
            return -1L >>> (64 - bits);
        }

        /** Host bytes that one refcount block counts. */
        long blockCoverageBytes() {
            return (long) clusterBytes * 8 / bits * clusterBytes;
        }

        MemoryFile file() {
            return clusterBytes % 8192 == 0 ? MemoryFile.mappable("disk") : MemoryFile.empty("disk");
        }

        Map<String, String> options(long sizeBytes) {
            return Map.of(
                    "size", Long.toString(sizeBytes),
                    "cluster_size", Integer.toString(clusterBytes),
                    "refcount_bits", Integer.toString(bits));
        }

        @Override
        public String toString() {
            return bits + " bits, clusters of " + clusterBytes + " bytes";
        }
    }

    private static List<Cell> cells() {
        List<Cell> cells = new ArrayList<>();
        for (int bits : WIDTHS) {
            for (int clusterBytes = 512; clusterBytes <= 2 << 20; clusterBytes *= 2) {
                cells.add(new Cell(bits, clusterBytes));
            }
        }
        return cells;
    }

    @TestFactory
    Stream<DynamicTest> snapshotsUntilACountIsFull() {
        return cells().stream()
                .map(cell -> DynamicTest.dynamicTest(cell.toString(), () -> {
                    try (SpottedDisk disk = new SpottedDisk(cell.file(), cell.options(2 * cell.l2CoverageBytes()))) {
                        fillUp(cell, disk);
                    }
                }));
    }

    private static void fillUp(Cell cell, SpottedDisk disk) throws BlockException {
        disk.snapshot("empty");
        disk.write(0, 1);
        disk.write(cell.l2CoverageBytes() - SpottedDisk.SPOT_BYTES, 2);
        disk.write(cell.l2CoverageBytes(), 3);
        disk.image().flush();
        long raised = 0;
        int taken = 0;
        if (cell.full() <= MOST_SNAPSHOTS && cell.full() > 0) {
            for (; taken < cell.full() - 1; taken++) {
                disk.snapshot("s" + taken);
            }
        } else {
            disk.snapshot("s" + taken++);
            raised = raise(disk, cell.full() - 1);
            disk.snapshot("s" + taken++);
        }
        refused(cell, disk, raised, () -> disk.snapshot("one more"));
        if (taken > 0) {
            // applying a snapshot counts what it shares before the live disk gives it up
            refused(cell, disk, raised, () -> disk.apply("s0"));
            disk.delete("s0");
            requireLeaks(disk, raised);
            disk.snapshot("in its place");
            disk.requireEqual();
        }
        // what the live disk shares no more is counted once less
        disk.write(0, 4);
        disk.write(cell.l2CoverageBytes() - SpottedDisk.SPOT_BYTES, 5);
        disk.write(cell.l2CoverageBytes(), 6);
        disk.reopen();
        disk.requireEqual();
        if (cell.bits > 1) {
            disk.apply("in its place");
            disk.write(SpottedDisk.SPOT_BYTES, 7);
            disk.requireEqual();
        }
        disk.apply("empty");
        disk.write(7L * cell.clusterBytes(), 8);
        disk.reopen();
        disk.requireEqual();
        requireLeaks(disk, raised);
    }

    private interface Refused {
        void run() throws BlockException;
    }

    /** The change is refused and the image is what it was: to its reader, to the check, and to who follows every reference. */
    private static void refused(Cell cell, SpottedDisk disk, long raised, Refused change) throws BlockException {
        disk.reopen();
        SparseBytes before = disk.content();
        BlockException e = assertThrows(BlockException.class, change::run);
        assertEquals(Kind.INVALID, e.kind(), e::toString);
        assertTrue(
                e.getMessage()
                        .contains("would exceed " + Long.toUnsignedString(cell.full()) + " (" + cell.bits + " bits)"),
                e::getMessage);
        assertEquals("Invalid argument", e.reason());
        disk.requireEqual();
        disk.reopen();
        disk.requireEqual();
        requireLeaks(disk, raised);
        // space that is free may have been tried; what anything refers to is there to the last byte
        SparseBytes after = disk.content();
        for (long cluster : new Qcow2Picture(before).referencedClusters()) {
            long offset = cluster * cell.clusterBytes;
            assertArrayEquals(
                    before.read(offset, cell.clusterBytes),
                    after.read(offset, cell.clusterBytes),
                    () -> "cluster " + cluster);
        }
    }

    /** Raises the count of the first data cluster, which is shared: a leak to whoever checks. @return how many clusters are counted wrongly */
    private static long raise(SpottedDisk disk, long count) throws BlockException {
        disk.whileClosed(() -> {
            Qcow2Picture picture = disk.picture();
            for (long cluster : picture.referencedClusters()) {
                for (Reference reference : picture.references(cluster)) {
                    if (reference.use() == Use.DATA && reference.layer() == -1 && reference.guestCluster() == 0) {
                        RefcountPatch.set(disk.file, cluster, count);
                        return;
                    }
                }
            }
            throw new AssertionError("no data");
        });
        assertEquals(1, disk.check().leaks());
        return 1;
    }

    private static void requireLeaks(SpottedDisk disk, long leaks) throws BlockException {
        CheckReport report = disk.check();
        assertEquals(0, report.corruptions() + report.checkErrors(), report::toString);
        assertEquals(leaks, report.leaks());
    }

    @TestFactory
    Stream<DynamicTest> theFirstTableGetsLonger() {
        return cells().stream()
                .filter(cell -> cell.bits == WIDTHS[Integer.numberOfTrailingZeros(cell.clusterBytes) % WIDTHS.length])
                .map(cell -> DynamicTest.dynamicTest(cell.toString(), () -> growFirstTable(cell)));
    }

    /** From one entry to more than fit into a cluster, with snapshots on the way, and back by applying them. */
    private static void growFirstTable(Cell cell) throws BlockException {
        long one = cell.l2CoverageBytes();
        long many = one * (cell.clusterBytes() / 8 + 1);
        try (SpottedDisk disk = new SpottedDisk(cell.file(), cell.options(one))) {
            if (cell.bits == 1) {
                // while it shares nothing
                disk.snapshot("short");
                disk.write(one - SpottedDisk.SPOT_BYTES, 1);
            } else {
                disk.write(one - SpottedDisk.SPOT_BYTES, 1);
                disk.snapshot("short");
            }
            disk.resize(3 * one);
            disk.write(2 * one, 2);
            disk.resize(many);
            disk.write(many - SpottedDisk.SPOT_BYTES, 3);
            disk.write(0, 4);
            disk.reopen();
            disk.requireEqual();
            disk.requireClean();
            if (cell.bits > 1) {
                disk.write(one - SpottedDisk.SPOT_BYTES, 10);
                disk.snapshot("long");
                disk.apply("short");
                disk.requireEqual();
                disk.write(0, 5);
                disk.apply("long");
                disk.write(many - 2L * SpottedDisk.SPOT_BYTES, 6);
                disk.delete("short");
                disk.requireEqual();
                disk.delete("long");
            } else {
                disk.apply("short");
                disk.write(0, 5);
            }
            disk.reopen();
            disk.requireEqual();
            disk.requireClean();
        }
    }

    @TestFactory
    Stream<DynamicTest> blocksAndTablesOfRefcountsAreAdded() {
        return cells().stream()
                .filter(cell -> cell.blockCoverageBytes() < MOST_DATA_BYTES / 2)
                .map(cell -> DynamicTest.dynamicTest(cell.toString(), () -> addBlocks(cell)));
    }

    private static void addBlocks(Cell cell) throws BlockException {
        long tableCoverageBytes = cell.blockCoverageBytes() * (cell.clusterBytes() / 8);
        long bytes = Math.min(MOST_DATA_BYTES, tableCoverageBytes + 4 * cell.blockCoverageBytes());
        try (SpottedDisk disk = new SpottedDisk(cell.file(), cell.options(bytes))) {
            for (long offset = 0; offset < bytes; offset += cell.clusterBytes()) {
                disk.write(offset, (int) (offset / cell.clusterBytes()));
            }
            disk.reopen();
            Qcow2Picture picture = disk.picture();
            long blocks = uses(picture, Use.REFCOUNT_BLOCK);
            assertTrue(blocks > bytes / cell.blockCoverageBytes(), () -> blocks + " refcount blocks");
            if (tableCoverageBytes < bytes) {
                assertTrue(uses(picture, Use.REFCOUNT_TABLE) > 1, "the refcount table still has one cluster");
            }
            disk.requireEqual();
            disk.requireClean();
            if (cell.bits > 1) {
                disk.snapshot("full");
                for (long offset = 0; offset < bytes; offset += 16L * cell.clusterBytes()) {
                    disk.write(offset, 99);
                }
                disk.reopen();
                disk.requireEqual();
                disk.requireClean();
                disk.apply("full");
                disk.delete("full");
                disk.reopen();
                disk.requireEqual();
                disk.requireClean();
            }
        }
    }

    private static long uses(Qcow2Picture picture, Use use) {
        long count = 0;
        for (long cluster : picture.referencedClusters()) {
            count += picture.references(cluster).stream().anyMatch(reference -> reference.use() == use) ? 1 : 0;
        }
        return count;
    }

    /** The real program finds in the same images what Ashlar finds, and refuses what Ashlar refuses. */
    @Test
    @RequiresQemu
    void theRealProgramAgrees(@ScratchDir Path folder) throws Exception {
        for (int bits : WIDTHS) {
            int clusterBytes = 512 << 2 * Integer.numberOfTrailingZeros(bits);
            Cell cell = new Cell(bits, clusterBytes);
            try (SpottedDisk disk = new SpottedDisk(cell.file(), cell.options(2 * cell.l2CoverageBytes()))) {
                fillUp(cell, disk);
                agree(cell, disk, folder);
            }
        }
    }

    private static void agree(Cell cell, SpottedDisk disk, Path folder) throws IOException, BlockException {
        Path image = folder.resolve(cell.bits + ".qcow2");
        disk.reopen();
        disk.content().writeTo(image);
        CheckReport report = disk.check();
        Command.Result check = QemuTools.img("check", "-f", "qcow2", image.toString());
        assertEquals(report.leaks() > 0 ? 3 : 0, check.exitCode(), check::toString);
        QemuTools.requireHealedByLeakRepair(image);
        // a data cluster that is shared as often as can be counted
        Path full = folder.resolve(cell.bits + "-full.qcow2");
        try (SpottedDisk other = new SpottedDisk(cell.file(), cell.options(2 * cell.l2CoverageBytes()))) {
            other.write(0, 1);
            if (cell.bits > 1) {
                other.snapshot("s");
                raise(other, cell.full());
            }
            assertThrows(BlockException.class, () -> other.snapshot("t"));
            other.reopen();
            other.content().writeTo(full);
        }
        Command.Result refused = QemuTools.img("snapshot", "-c", "t", full.toString());
        assertEquals(1, refused.exitCode());
        assertEquals(
                "qemu-img: Could not create snapshot 't': -22 (Invalid argument)",
                refused.errors().lines().toList().getLast());
    }
}
