package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Bitmaps in images that nobody should trust: refused in one line that names the bitmap or the field, in bounded time and memory, without a write. */
class HostileBitmapsTest {
    private static final long SIZE = 8 << 20;
    private static final int CLUSTER = 4096;

    private final SparseBytes good = image();
    /** Payload of the extension, the first directory entry and its table in the file. */
    private final int extension = find(0x23852875) + 8;

    private final int directory = (int) u64(extension + 16);
    private final int table = (int) u64(directory);

    private static SparseBytes image() {
        try (BitmapDisk disk = new BitmapDisk().create(SIZE, Map.of("cluster_size", Integer.toString(CLUSTER)))) {
            try (BlockBackend backend = disk.open()) {
                backend.root().bitmaps().createPersistent("first", 512);
                backend.root().bitmaps().createPersistent("second", 4096);
                BitmapDisk.write(backend, 0, 100_000, 1);
            }
            return disk.content();
        } catch (BlockException e) {
            throw new AssertionError(e);
        }
    }

    private int find(int magic) {
        for (int at = 104; at < CLUSTER; at += 8) {
            if (ByteBuffer.wrap(good.read(at, 4)).getInt() == magic) {
                return at;
            }
        }
        throw new AssertionError("no extension");
    }

    private long u64(int at) {
        return ByteBuffer.wrap(good.read(at, 8)).getLong();
    }

    private SparseBytes with(int at, int bytes, long value) {
        SparseBytes changed = good.fork();
        ByteBuffer buffer = ByteBuffer.allocate(8).putLong(value);
        changed.write(at, buffer.array(), 8 - bytes, bytes);
        return changed;
    }

    private static void refused(String message, SparseBytes image) {
        refused(Kind.CORRUPT, message, image);
    }

    private static void refused(Kind kind, String message, SparseBytes image) {
        assertTimeout(Duration.ofSeconds(5), () -> {
            try (BitmapDisk disk = new BitmapDisk(protocol -> protocol, image.fork())) {
                for (int i = 0; i < 2; i++) {
                    boolean reading = i == 0;
                    BlockException e = assertThrows(
                            BlockException.class, () -> (reading ? disk.openReading() : disk.open()).close());
                    assertEquals(message, e.getMessage());
                    assertEquals(kind, e.kind());
                }
                assertEquals(-1, image.firstDifference(disk.content()), "written to");
            }
            // who wants to know what is wrong may look, and is told
            MemoryProtocol protocol = new MemoryProtocol(MemoryFile.of("disk", image.fork()));
            try (DirectFormat checked = DirectFormat.open(new Qcow2Driver(), protocol, Flag.CHECK, Flag.READ_ONLY)) {
                BlockException e = null;
                CheckReport report = null;
                try {
                    report = checked.check(Repair.NONE);
                } catch (BlockException failure) {
                    e = failure;
                }
                boolean found = e != null && e.kind() == Kind.CORRUPT
                        || report != null && report.corruptions() > 0
                        // memory is no matter to a check, nor is how long a table is
                        || kind == Kind.TOO_LARGE
                        || message.startsWith("Could not read bitmap 'second'");
                assertTrue(found, message);
            }
        });
    }

    @Test
    void extensions() {
        refused(
                "bitmaps_ext: Image has 65536 bitmaps, exceeding the QEMU supported maximum of 65535",
                with(extension, 4, 65_536));
        refused("found bitmaps extension with zero bitmaps", with(extension, 4, 0));
        refused("bitmaps_ext: invalid bitmap directory offset", with(extension + 16, 8, u64(extension + 16) + 512));
        refused("bitmaps_ext: invalid bitmap directory offset", with(extension + 16, 8, -4096));
        refused(
                "bitmaps_ext: bitmap directory size (67107841) exceeds the maximum supported size (67107840)",
                with(extension + 8, 8, 67_107_841));
        refused(
                "bitmaps_ext: bitmap directory size (18446744073709551615) exceeds the maximum supported size"
                        + " (67107840)",
                with(extension + 8, 8, -1));
        refused("Requested bitmap directory size is zero", with(extension + 8, 8, 0));
        refused("Failed to read bitmap directory: Input/output error", with(extension + 16, 8, 1L << 40));
        refused("Failed to read bitmap directory: Input/output error", with(extension + 8, 8, 67_107_840));
        refused("bitmaps_ext: Reserved field is not zero", with(extension + 4, 4, 1));
        refused("bitmaps_ext: Invalid extension length", with(extension - 4, 4, 16));
    }

    @Test
    void directories() {
        refused("More bitmaps found than specified in header extension", with(extension, 4, 1));
        refused("Less bitmaps found than specified in header extension", with(extension, 4, 3));
        refused("Broken bitmap directory", with(extension + 8, 8, u64(extension + 8) - 8));
        refused("Broken bitmap directory", with(directory + 20, 4, 0xffff_fff0L));
        String constraints = "Bitmap 'first' doesn't satisfy the constraints";
        refused(constraints, with(directory, 8, 0));
        refused(constraints, with(directory, 8, u64(directory) + 512));
        refused(constraints, with(directory, 8, -4096));
        refused(constraints, with(directory + 8, 4, 0));
        refused(constraints, with(directory + 8, 4, 0x800_0001L));
        refused(constraints, with(directory + 8, 4, 0xffff_ffffL));
        refused(constraints, with(directory + 12, 4, 8));
        refused(constraints, with(directory + 16, 1, 2));
        refused(constraints, with(directory + 17, 1, 8));
        refused(constraints, with(directory + 17, 1, 32));
    }

    @Test
    void tables() {
        String unreadable = "Could not read bitmap_table table from image for bitmap 'first': ";
        refused(unreadable + "Input/output error", with(directory, 8, 1L << 40));
        refused(unreadable + "Invalid argument", with(table, 8, 2));
        refused(unreadable + "Invalid argument", with(table, 8, 1L << 60));
        refused(unreadable + "Invalid argument", with(table, 8, u64(table) | 1));
        refused(unreadable + "Invalid argument", with(table, 8, u64(table) + 512));
        refused(Kind.IO, "Could not read bitmap 'first' from image: Input/output error", with(table, 8, 1L << 40));
        refused("Could not read bitmap 'second' from image: Invalid argument", with(directory + 32 + 8, 4, 2));
    }

    /** A word for "all set" costs nothing in the file and a cluster in memory. */
    @Test
    void bitsOutOfNothing() throws BlockException {
        SparseBytes bomb;
        try (BitmapDisk disk = new BitmapDisk().create(1L << 40, Map.of())) {
            try (BlockBackend backend = disk.open()) {
                backend.root().bitmaps().createPersistent("bomb", 512);
            }
            bomb = disk.content();
        }
        int at = 104;
        while (ByteBuffer.wrap(bomb.read(at, 4)).getInt() != 0x23852875) {
            at += 8;
        }
        long entry = ByteBuffer.wrap(bomb.read(at + 24, 8)).getLong();
        long words = ByteBuffer.wrap(bomb.read(entry, 8)).getLong();
        for (int i = 0; i < 4096; i++) {
            bomb.fill(words + 8L * i + 7, 1, (byte) 1);
        }
        refused(
                Kind.TOO_LARGE,
                "Could not read bitmap 'bomb' from image: the image's bitmaps would take far more memory than the"
                        + " image",
                bomb);
    }

    /** Data of other programs is kept; whether the bitmap can be used without knowing it, a flag says. */
    @Test
    void extraData() throws BlockException {
        for (int flags : new int[] {2, 6}) {
            SparseBytes image = good.fork();
            byte[] extra = {1, 2, 3, 4, 5, 6, 7, 8};
            byte[] first = good.read(directory, 32);
            byte[] second = good.read(directory + 32, 32);
            ByteBuffer moved = ByteBuffer.allocate(72);
            moved.put(first, 0, 24).put(extra).put(first, 24, 8).put(second);
            moved.putInt(12, flags).putInt(20, extra.length);
            image.write(directory, moved.array(), 0, 72);
            image.write(extension + 8, ByteBuffer.allocate(8).putLong(72).array(), 0, 8);
            try (BitmapDisk disk = new BitmapDisk(protocol -> protocol, image)) {
                long dirty;
                try (BlockBackend backend = disk.open()) {
                    DirtyBitmap bitmap = backend.root().bitmaps().require("first");
                    assertEquals(flags == 2, bitmap.isInconsistent());
                    dirty = bitmap.dirtyBytes();
                    assertEquals(flags == 6, dirty > 0);
                    BitmapDisk.write(backend, SIZE - 1, 1, 1);
                    BitmapDisk.requireSound(backend, false);
                }
                try (BlockBackend backend = disk.open()) {
                    DirtyBitmap bitmap = backend.root().bitmaps().require("first");
                    assertEquals(flags == 2, bitmap.isInconsistent());
                    assertEquals(flags == 6 ? dirty + 512 : 0, bitmap.dirtyBytes());
                    assertFalse(backend.root().bitmaps().require("second").isInconsistent());
                    BitmapDisk.requireSound(backend, false);
                }
                SparseBytes after = disk.content();
                long now = ByteBuffer.wrap(after.read(extension + 16, 8)).getLong();
                assertTrue(now != directory);
                assertArrayEquals(extra, after.read(now + 24, 8));
                int expected = flags == 2 ? 3 : 6;
                assertEquals(expected, ByteBuffer.wrap(after.read(now + 12, 4)).getInt());
            }
        }
    }
}
