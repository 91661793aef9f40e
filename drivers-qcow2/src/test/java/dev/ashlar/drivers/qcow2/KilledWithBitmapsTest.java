package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.testkit.host.Command;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * What the real programs find of bitmaps when a process with an open image is killed. It marks them as in use with the first write, the real one when it opens the
 * image: what was never written to keeps its bitmaps here, and they are right; what was written to has none that pretends to be (rule R10).
 */
@RequiresQemu
class KilledWithBitmapsTest {
    private final Path image;

    KilledWithBitmapsTest(@ScratchDir Path directory) {
        image = directory.resolve("killed.qcow2");
    }

    /** All that was handed to the system is there after a kill. */
    private void kill(BitmapDisk disk) throws Exception {
        disk.content().writeTo(image);
        disk.forget();
    }

    private void requireInUse(boolean wanted) {
        String info = QemuTools.img("info", image.toString()).orFail().output();
        assertTrue(info.contains("name: a"), info);
        assertEquals(wanted, info.contains("in-use"), info);
        QemuTools.requireHealedByLeakRepair(image);
        // what is inconsistent can be removed, and nothing else
        Command.Result merged = QemuTools.img("bitmap", "--add", "--merge", "a", image.toString(), "b");
        if (wanted) {
            assertNotEquals(0, merged.exitCode(), merged::toString);
            assertTrue(merged.errors().contains("inconsistent"), merged::toString);
            QemuTools.img("bitmap", "--remove", image.toString(), "a").orFail();
        } else {
            merged.orFail();
        }
    }

    private static BitmapDisk prepared() throws Exception {
        BitmapDisk disk = new BitmapDisk().create(1 << 20, Map.of());
        try (BlockBackend backend = disk.open()) {
            DirtyBitmap bitmap = backend.root().bitmaps().createPersistent("a", 65536);
            BitmapDisk.write(backend, 100_000, 1000, 5);
            assertTrue(bitmap.isEnabled());
        }
        return disk;
    }

    @Test
    void onlyOpened() throws Exception {
        try (BitmapDisk disk = prepared()) {
            disk.open();
            kill(disk);
            requireInUse(false);
        }
    }

    @Test
    void onlyRead() throws Exception {
        try (BitmapDisk disk = prepared()) {
            BitmapDisk.read(disk.open());
            kill(disk);
            requireInUse(false);
        }
    }

    /** Whatever the write was, and though nothing was flushed. */
    @Test
    void written() throws Exception {
        for (int way = 0; way < 4; way++) {
            try (BitmapDisk disk = prepared()) {
                BlockBackend backend = disk.open();
                switch (way) {
                    case 0 -> BitmapDisk.write(backend, 500_000, 10, 6);
                    case 1 -> BitmapDisk.write(backend, 100_000, 10, 6);
                    case 2 -> backend.writeZeroes(65536, 65536, true);
                    default -> backend.discard(65536, 65536);
                }
                kill(disk);
                requireInUse(true);
            }
        }
    }

    /** Stored when the image becomes read-only, and in use again with the next write. */
    @Test
    void readOnlyMeanwhile() throws Exception {
        try (BitmapDisk disk = prepared()) {
            BlockBackend backend = disk.open();
            BitmapDisk.write(backend, 500_000, 10, 6);
            disk.setReadOnly(backend, true);
            disk.content().writeTo(image);
            requireInUse(false);
            disk.setReadOnly(backend, false);
            disk.content().writeTo(image);
            requireInUse(false);
            BitmapDisk.write(backend, 500_000, 10, 7);
            kill(disk);
            requireInUse(true);
        }
    }
}
