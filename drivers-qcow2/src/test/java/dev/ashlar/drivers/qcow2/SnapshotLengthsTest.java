package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Snapshots whose L1 table is shorter or longer than the live disk's: made by one program, used by the other, and each after itself. With clusters of 512 bytes an
 * L1 entry covers 32 KiB.
 */
@RequiresQemu
class SnapshotLengthsTest {
    private static final int SMALL = 40 << 10;
    private static final int LARGE = 200 << 10;
    private static final Qcow2Driver DRIVER = new Qcow2Driver();

    /** A program that changes images. */
    enum Program {
        ASHLAR {
            @Override
            void create(Path image) throws Exception {
                MemoryFile file = MemoryFile.empty("disk");
                MemoryProtocol protocol = new MemoryProtocol(file);
                DirectFormat.create(DRIVER, protocol, Map.of("size", Integer.toString(SMALL), "cluster_size", "512"));
                protocol.close();
                file.snapshot().writeTo(image);
            }

            @Override
            void write(Path image, int offset, int count, int pattern) throws Exception {
                byte[] bytes = new byte[count];
                Arrays.fill(bytes, (byte) pattern);
                with(image, disk -> disk.write(offset, bytes));
            }

            @Override
            void grow(Path image, int size) throws Exception {
                with(image, disk -> disk.resize(size));
            }

            @Override
            void snapshot(Path image, char command, String name) throws Exception {
                with(image, disk -> {
                    switch (command) {
                        case 'c' -> disk.createSnapshot(name);
                        case 'a' -> disk.applySnapshot(name);
                        default -> disk.deleteSnapshot(name);
                    }
                });
            }
        },
        QEMU {
            @Override
            void create(Path image) {
                QemuTools.create(image, SMALL, "cluster_size=512");
            }

            @Override
            void write(Path image, int offset, int count, int pattern) {
                QemuTools.io(image, "write -P " + pattern + " " + offset + " " + count);
            }

            @Override
            void grow(Path image, int size) {
                QemuTools.img("resize", "-q", "-f", "qcow2", image.toString(), Integer.toString(size))
                        .orFail();
            }

            @Override
            void snapshot(Path image, char command, String name) {
                QemuTools.img("snapshot", "-q", "-" + command, name, image.toString())
                        .orFail();
            }
        };

        abstract void create(Path image) throws Exception;

        abstract void write(Path image, int offset, int count, int pattern) throws Exception;

        abstract void grow(Path image, int size) throws Exception;

        /** @param command c, a or d */
        abstract void snapshot(Path image, char command, String name) throws Exception;
    }

    private interface Step {
        void on(DirectFormat disk) throws BlockException;
    }

    private static void with(Path image, Step step) throws BlockException, IOException {
        MemoryFile file = MemoryFile.of("disk", SparseBytes.of(image));
        try (DirectFormat disk = DirectFormat.open(DRIVER, new MemoryProtocol(file))) {
            step.on(disk);
        }
        file.snapshot().writeTo(image);
    }

    /** Pattern 1 in the old disk, 2 at its end and behind it; "small" has the first, "large" both. */
    private static void make(Path image, Program by) throws Exception {
        by.create(image);
        by.write(image, 0, SMALL, 1);
        by.snapshot(image, 'c', "small");
        by.grow(image, LARGE);
        by.write(image, SMALL - 1024, LARGE - SMALL - 5120, 2);
        by.snapshot(image, 'c', "large");
    }

    private static SparseBytes small() {
        byte[] bytes = new byte[SMALL];
        Arrays.fill(bytes, (byte) 1);
        return SparseBytes.of(bytes);
    }

    private static SparseBytes large() {
        byte[] bytes = new byte[LARGE];
        Arrays.fill(bytes, 0, SMALL - 1024, (byte) 1);
        Arrays.fill(bytes, SMALL - 1024, LARGE - 6144, (byte) 2);
        return SparseBytes.of(bytes);
    }

    /** Both programs see the live disk and the snapshots so, and find nothing wrong. */
    private static void require(Path image, Path folder, SparseBytes live, String... snapshots) throws Exception {
        QemuTools.requireClean(image);
        assertEquals(List.of(snapshots), QemuTools.snapshotNames(image));
        requireEqual(live, QemuTools.content(image, folder));
        with(image, disk -> {
            CheckReport report = disk.check(Repair.NONE);
            assertEquals(0, report.corruptions() + report.checkErrors() + report.leaks(), report::toString);
            requireEqual(live, disk.content());
            assertEquals(snapshots.length, disk.snapshots().snapshots().size());
            for (String name : snapshots) {
                SparseBytes expected = name.equals("small") ? small() : large();
                assertEquals(expected.lengthBytes(), disk.snapshot(name).diskSizeBytes());
                requireEqual(expected, disk.content(disk.snapshot(name)));
            }
        });
        for (String name : snapshots) {
            // the real program reads it in the length of the live disk, as far as it goes
            SparseBytes expected = name.equals("small") ? small() : large();
            SparseBytes read = QemuTools.content(image, name, folder);
            long common = Math.min(expected.lengthBytes(), read.lengthBytes());
            expected.setLengthBytes(common);
            read.setLengthBytes(common);
            requireEqual(expected, read);
        }
    }

    private static void requireEqual(SparseBytes expected, SparseBytes found) {
        assertEquals(expected.lengthBytes(), found.lengthBytes());
        assertEquals(-1, expected.firstDifference(found));
    }

    private static int l1Entries(Path image) throws IOException {
        return ByteBuffer.wrap(SparseBytes.of(image).read(36, 4)).getInt();
    }

    @ParameterizedTest(name = "made by {0}, used by {1}")
    @CsvSource({"ASHLAR, ASHLAR", "ASHLAR, QEMU", "QEMU, ASHLAR"})
    void shorterAndLongerThanTheLiveTable(Program maker, Program user, @ScratchDir Path folder) throws Exception {
        Path image = folder.resolve("lengths.qcow2");
        make(image, maker);
        require(image, folder, large(), "small", "large");
        assertTrue(l1Entries(image) >= 7, () -> "a longer table");
        // back to the disk that was shorter, and on from there
        user.snapshot(image, 'a', "small");
        require(image, folder, small(), "small", "large");
        user.write(image, 1024, 512, 3);
        SparseBytes written = small();
        written.write(1024, filled(512, 3), 0, 512);
        require(image, folder, written, "small", "large");
        user.snapshot(image, 'a', "large");
        require(image, folder, large(), "small", "large");
        // the other way: the live disk shorter, the longer one given up
        user.snapshot(image, 'a', "small");
        user.snapshot(image, 'd', "large");
        require(image, folder, small(), "small");
        user.grow(image, LARGE);
        SparseBytes grown = small();
        grown.setLengthBytes(LARGE);
        require(image, folder, grown, "small");
        user.snapshot(image, 'd', "small");
        require(image, folder, grown);
        maker.write(image, LARGE - 512, 512, 4);
        grown.write(LARGE - 512, filled(512, 4), 0, 512);
        require(image, folder, grown);
    }

    /** The shorter one is given up while the live disk is longer. */
    @ParameterizedTest(name = "made by {0}, used by {1}")
    @CsvSource({"ASHLAR, QEMU", "QEMU, ASHLAR"})
    void theShorterOneIsDeletedFirst(Program maker, Program user, @ScratchDir Path folder) throws Exception {
        Path image = folder.resolve("lengths.qcow2");
        make(image, maker);
        user.snapshot(image, 'd', "small");
        require(image, folder, large(), "large");
        user.write(image, 0, LARGE, 5);
        require(image, folder, SparseBytes.of(filled(LARGE, 5)), "large");
        maker.snapshot(image, 'a', "large");
        require(image, folder, large(), "large");
    }

    private static byte[] filled(int count, int value) {
        byte[] bytes = new byte[count];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }
}
