package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.host.Command;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** As many snapshots as the format allows, 65,536: all but the last few are written as the format has them, the last ones are taken. */
class ManySnapshotsTest {
    private static final int MOST = 65_536;
    private static final int WRITTEN = MOST - 2;
    private static final Qcow2Driver DRIVER = new Qcow2Driver();
    private static final SparseBytes IMAGE = image();

    private final MemoryFile file = MemoryFile.of("disk", IMAGE.fork());

    private static SparseBytes image() {
        try {
            return ManySnapshots.image(WRITTEN);
        } catch (BlockException e) {
            throw new AssertionError(e);
        }
    }

    private DirectFormat open() throws BlockException {
        return DirectFormat.open(DRIVER, new MemoryProtocol(file));
    }

    /** Takes those that are missing, each with its own byte at the start of the disk. */
    private static void fill(DirectFormat disk) throws BlockException {
        for (int number = WRITTEN + 1; number <= MOST; number++) {
            disk.write(0, new byte[] {(byte) number});
            disk.createSnapshot(ManySnapshots.name(number));
            assertEquals(Integer.toString(number), find(disk, number).id());
        }
    }

    private static SnapshotInfo find(DirectFormat disk, int number) throws BlockException {
        SnapshotInfo info = disk.snapshot(ManySnapshots.name(number));
        assertEquals(info, disk.snapshots().snapshots().get(number - 1));
        return info;
    }

    private static void requireClean(DirectFormat disk) throws BlockException {
        CheckReport report = disk.check(Repair.NONE);
        assertEquals(0, report.corruptions() + report.checkErrors() + report.leaks(), report::toString);
    }

    /** All that the snapshots from the written part show. */
    private static void requireContent(DirectFormat disk, SnapshotInfo snapshot) throws BlockException {
        for (int i = 0; i < ManySnapshots.DATA_CLUSTERS; i++) {
            long offset = (long) i * ManySnapshots.CLUSTER_BYTES;
            assertArrayEquals(ManySnapshots.content(i), disk.read(snapshot, offset, ManySnapshots.CLUSTER_BYTES));
        }
    }

    @Test
    void oneMoreIsRefusedByNameAndChangesNothing() throws Exception {
        try (DirectFormat disk = open()) {
            fill(disk);
            disk.flush();
            SparseBytes before = file.snapshot();
            BlockException e = assertThrows(
                    BlockException.class, () -> disk.snapshots().createSnapshot(SnapshotRequest.named("one more")));
            assertEquals(Kind.TOO_LARGE, e.kind());
            assertEquals("File too large", e.reason());
            assertEquals("Too many snapshots: the limit is 65536", e.getMessage());
            assertEquals(-1, before.firstDifference(file.snapshot()));
            assertEquals(MOST, disk.snapshots().snapshots().size());
        }
        try (DirectFormat disk = open()) {
            assertEquals(MOST, disk.snapshots().snapshots().size());
            disk.snapshots().deleteSnapshot(find(disk, 1));
            disk.createSnapshot("in its place");
            assertEquals("65537", disk.snapshot("in its place").id());
            assertThrows(BlockException.class, () -> disk.createSnapshot("one more"));
            requireClean(disk);
        }
    }

    @Test
    void theFirstTheMiddleAndTheLastAreAppliedAndDeleted() throws Exception {
        List<Integer> numbers = List.of(1, MOST / 2, MOST);
        try (DirectFormat disk = open()) {
            fill(disk);
            requireContent(disk, find(disk, 1));
            requireContent(disk, find(disk, MOST / 2));
            for (int number : numbers) {
                disk.snapshots().applySnapshot(find(disk, number));
                assertEquals(number == MOST ? (byte) MOST : 1, disk.read(0, 1)[0]);
                disk.write(0, new byte[] {99});
                assertEquals(number == MOST ? (byte) MOST : 1, disk.read(find(disk, number), 0, 1)[0]);
            }
            for (int number : numbers.reversed()) {
                disk.snapshots().deleteSnapshot(find(disk, number));
            }
        }
        try (DirectFormat disk = open()) {
            List<SnapshotInfo> left = disk.snapshots().snapshots();
            assertEquals(MOST - 3, left.size());
            assertEquals(ManySnapshots.name(2), left.getFirst().name());
            assertEquals(ManySnapshots.name(MOST - 1), left.getLast().name());
            assertEquals(
                    ManySnapshots.name(MOST / 2 + 1), left.get(MOST / 2 - 2).name());
            requireContent(disk, left.getFirst());
            assertEquals((byte) (MOST - 1), disk.read(left.getLast(), 0, 1)[0]);
            assertEquals(99, disk.read(0, 1)[0]);
            requireClean(disk);
        }
    }

    @Test
    @RequiresQemu
    void theRealProgramListsAndChecksThemAndTakesNoMore(@ScratchDir Path folder) throws Exception {
        Path image = folder.resolve("many.qcow2");
        try (DirectFormat disk = open()) {
            fill(disk);
        }
        file.snapshot().writeTo(image);
        QemuTools.requireClean(image);
        Command.Result refused = QemuTools.img("snapshot", "-c", "one more", image.toString());
        assertEquals(
                "qemu-img: Could not create snapshot 'one more': -27 (File too large)",
                refused.errors().strip());
        List<String> lines = QemuTools.img("snapshot", "-l", image.toString())
                .orFail()
                .output()
                .lines()
                .toList();
        // the title, the columns' heads
        assertEquals(MOST + 2, lines.size());
        for (int number : new int[] {1, MOST / 2, MOST}) {
            String line = lines.get(number + 1);
            assertTrue(line.startsWith(number + " ") && line.contains(" " + ManySnapshots.name(number) + " "), line);
        }
    }
}
