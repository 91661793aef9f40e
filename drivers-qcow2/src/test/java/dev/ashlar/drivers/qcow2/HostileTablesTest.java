package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.hostile.HostileImage;
import dev.ashlar.testkit.hostile.HostileTables;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Tables that lie: refused by name, or found by a check; read without harm, and never a reason to write over metadata. */
@Timeout(10)
class HostileTablesTest {
    private static final byte GUEST_BYTE = 0x5a;

    static List<HostileImage> refused() {
        return HostileTables.refused();
    }

    static List<HostileImage> refusedForTheirSnapshots() {
        return HostileTables.refused().stream()
                .filter(image -> image.toString().startsWith("snapshot"))
                .toList();
    }

    static List<HostileImage> damaged() {
        return HostileTables.damaged();
    }

    static List<HostileImage> unreadable() {
        return HostileTables.unreadable();
    }

    private static DirectFormat open(MemoryFile file, Flag... flags) throws BlockException {
        return DirectFormat.open(new Qcow2Driver(), new MemoryProtocol(file), flags);
    }

    @Test
    @RequiresQemu
    void theOneWithoutFaultIsSound(@ScratchDir Path directory) throws Exception {
        try (DirectFormat sound = open(MemoryFile.of("sound", HostileTables.sound()), Flag.READ_ONLY)) {
            CheckReport report = sound.check(Repair.NONE);
            assertEquals(0, report.corruptions() + report.leaks() + report.checkErrors());
            assertEquals('d', sound.read(0, 1)[0]);
            assertArrayEquals(new byte[4096], sound.read(4096, 4096));
        }
        Path file = directory.resolve("sound.qcow2");
        HostileTables.sound().writeTo(file);
        QemuTools.requireClean(file);
    }

    @ParameterizedTest
    @MethodSource("refused")
    void refusalNamesTheFieldAndChangesNothing(HostileImage image) {
        for (Flag flag : List.of(Flag.READ_ONLY, Flag.UNMAP, Flag.UNTRUSTED)) {
            MemoryFile file = MemoryFile.of("hostile", image.content().fork());
            BlockException refusal = assertThrows(
                    BlockException.class, () -> open(file, flag).close(), () -> image + " opens with " + flag);
            String message = String.valueOf(refusal.getMessage());
            assertTrue(image.isWellRefusedBy(message), () -> image + ": " + message);
            assertEquals(-1, file.snapshot().firstDifference(image.content()), () -> image + " was written to");
        }
    }

    @ParameterizedTest
    @MethodSource("damaged")
    void readingEndsInContentOrInOneError(HostileImage image) throws BlockException {
        MemoryFile file = MemoryFile.of("hostile", image.content().fork());
        try (DirectFormat open = open(file, Flag.READ_ONLY)) {
            for (long offset = 0; offset < open.lengthBytes(); offset += HostileTables.CLUSTER_BYTES) {
                try {
                    open.read(offset, HostileTables.CLUSTER_BYTES);
                } catch (BlockException e) {
                    assertTrue(image.isWellRefusedBy(String.valueOf(e.getMessage())), e.getMessage());
                }
            }
        } catch (BlockException e) {
            assertTrue(image.isWellRefusedBy(String.valueOf(e.getMessage())), e.getMessage());
        }
        assertEquals(-1, file.snapshot().firstDifference(image.content()), () -> image + " was written to");
    }

    @ParameterizedTest
    @MethodSource("damaged")
    void aCheckFindsIt(HostileImage image) throws BlockException {
        MemoryFile file = MemoryFile.of("hostile", image.content().fork());
        try (DirectFormat open = open(file, Flag.READ_ONLY, Flag.CHECK)) {
            CheckReport report = open.check(Repair.NONE);
            assertTrue(report.corruptions() + report.checkErrors() + report.leaks() > 0, () -> image + " passes");
        }
        assertEquals(-1, file.snapshot().firstDifference(image.content()), () -> image + " was written to");
    }

    @ParameterizedTest
    @MethodSource("damaged")
    void guestsNeverWriteOverMetadata(HostileImage image) {
        MemoryFile file = MemoryFile.of("hostile", image.content().fork());
        try (DirectFormat open = open(file, Flag.UNMAP)) {
            byte[] cluster = new byte[HostileTables.CLUSTER_BYTES];
            Arrays.fill(cluster, GUEST_BYTE);
            for (long offset = 0; offset < open.lengthBytes(); offset += cluster.length) {
                open.write(offset, cluster);
            }
            open.flush();
            open.createSnapshot("after");
            open.write(0, cluster);
            open.discard(0, open.lengthBytes());
        } catch (BlockException e) {
            assertTrue(image.isWellRefusedBy(String.valueOf(e.getMessage())), e.getMessage());
        }
        byte[] kept = file.snapshot().read(0, HostileTables.PROTECTED_CLUSTERS * HostileTables.CLUSTER_BYTES);
        byte[] guest = new byte[512];
        Arrays.fill(guest, GUEST_BYTE);
        for (int at = 0; at < kept.length; at += guest.length) {
            int sector = at;
            assertFalse(
                    Arrays.equals(kept, at, at + guest.length, guest, 0, guest.length),
                    () -> image + ": guest data at " + sector);
        }
    }

    /** A stream that is no cluster is an error of its own cluster: tables are in order, and the rest of the disk reads. */
    @ParameterizedTest
    @MethodSource("unreadable")
    void aBrokenStreamCostsItsClusterAlone(HostileImage image) throws BlockException {
        MemoryFile file = MemoryFile.of("hostile", image.content().fork());
        try (DirectFormat open = open(file, Flag.READ_ONLY)) {
            assertEquals(0, open.check(Repair.NONE).corruptions(), image::name);
            for (long offset = 0; offset < open.lengthBytes(); offset += HostileTables.CLUSTER_BYTES) {
                long at = offset;
                if (offset == HostileTables.CLUSTER_BYTES) {
                    BlockException e =
                            assertThrows(BlockException.class, () -> open.read(at, HostileTables.CLUSTER_BYTES));
                    assertEquals(Kind.IO, e.kind(), e.getMessage());
                } else {
                    open.read(offset, HostileTables.CLUSTER_BYTES);
                }
            }
        }
        assertEquals(-1, file.snapshot().firstDifference(image.content()), () -> image + " was written to");
    }

    /** What can't be used may be beyond repair; a check says so, and a repair never makes of it what then fails. */
    @ParameterizedTest
    @MethodSource("refusedForTheirSnapshots")
    void aCheckOfASnapshotTableThatIsRefusedFindsIt(HostileImage image) {
        MemoryFile file = MemoryFile.of("hostile", image.content().fork());
        CheckReport report;
        try (DirectFormat open = open(file, Flag.CHECK)) {
            report = open.check(Repair.NONE);
            assertTrue(report.corruptions() + report.checkErrors() > 0, () -> image + " passes");
            open.check(Repair.ALL);
        } catch (BlockException e) {
            assertFalse(String.valueOf(e.getMessage()).isEmpty());
        }
    }

    /** A repair ends, whatever it meets, and what it says is repaired is. */
    @ParameterizedTest
    @MethodSource("damaged")
    void aRepairDoesWhatItSays(HostileImage image) throws BlockException {
        SparseBytes content = image.content().fork();
        MemoryFile file = MemoryFile.of("hostile", content);
        CheckReport report;
        try (DirectFormat open = open(file, Flag.CHECK)) {
            report = open.check(Repair.ALL);
        } catch (BlockException e) {
            assertTrue(image.isWellRefusedBy(String.valueOf(e.getMessage())), e.getMessage());
            return;
        }
        SparseBytes once = file.snapshot();
        try (DirectFormat open = open(file, Flag.CHECK)) {
            CheckReport left = open.check(Repair.ALL);
            assertEquals(report.corruptions(), left.corruptions(), () -> image + " after repair");
            assertEquals(report.leaks(), left.leaks(), () -> image + " after repair");
            assertEquals(report.checkErrors(), left.checkErrors(), () -> image + " after repair");
        }
        assertEquals(-1, once.firstDifference(file.snapshot()), () -> image + ": another repair changes it");
        if (report.corruptions() + report.checkErrors() + report.leaks() == 0) {
            try (DirectFormat open = open(file, Flag.READ_ONLY)) {
                CheckReport again = open.check(Repair.NONE);
                assertEquals(
                        0, again.corruptions() + again.checkErrors() + again.leaks(), () -> image + " after repair");
            }
        }
    }
}
