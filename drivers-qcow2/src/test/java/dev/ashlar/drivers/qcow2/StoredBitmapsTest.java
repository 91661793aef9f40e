package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockQueue;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.core.bitmap.NodeBitmaps;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.testkit.SparseBytes;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Bitmaps that an image keeps: what of them is there after closing, after a crash, and after programs that do not know them. */
class StoredBitmapsTest {
    private static final long SIZE = 4 << 20;

    private static Map<String, String> clusters(int bytes) {
        return Map.of("cluster_size", Integer.toString(bytes));
    }

    private static void fails(Kind kind, String message, Executable action) {
        BlockException e = assertThrows(BlockException.class, action);
        assertEquals(message, e.getMessage());
        assertEquals(kind, e.kind());
    }

    /** What a bitmap must hold. */
    private static final class Model {
        final int granularity;
        final BitSet bits = new BitSet();
        boolean enabled = true;

        Model(int granularity) {
            this.granularity = granularity;
        }

        void written(long from, long to) {
            if (enabled) {
                bits.set((int) (from / granularity), (int) ((to - 1) / granularity) + 1);
            }
        }
    }

    @Property(tries = 25)
    void sessionsAgainstAModel(@ForAll long seed) throws Exception {
        Random random = new Random(seed);
        long size = SIZE - 512L * random.nextInt(100);
        try (BitmapDisk disk = new BitmapDisk().create(size, clusters(512 << random.nextInt(8)))) {
            Map<String, Model> models = new LinkedHashMap<>();
            for (int session = 0; session < 6; session++) {
                try (BlockBackend backend = disk.open()) {
                    compare(backend.root().bitmaps(), models, seed);
                    if (session == 3) {
                        size += 512L * random.nextInt(5000);
                        backend.resize(size, Preallocation.OFF);
                    }
                    work(backend, models, size, random);
                    compare(backend.root().bitmaps(), models, seed);
                }
                try (BlockBackend backend = disk.openReading()) {
                    compare(backend.root().bitmaps(), models, seed);
                    BitmapDisk.requireSound(backend, false);
                }
            }
        }
    }

    private static void work(BlockBackend backend, Map<String, Model> models, long size, Random random)
            throws BlockException {
        NodeBitmaps bitmaps = backend.root().bitmaps();
        for (int i = random.nextInt(12); i > 0; i--) {
            List<String> names = new ArrayList<>(models.keySet());
            String name = names.isEmpty() ? "" : names.get(random.nextInt(names.size()));
            switch (name.isEmpty() ? 0 : random.nextInt(8)) {
                case 0 -> {
                    int granularity = 512 << random.nextInt(10);
                    String fresh = "b" + random.nextInt(1 << 20) + "ü".repeat(random.nextInt(30));
                    if (models.putIfAbsent(fresh, new Model(granularity)) == null) {
                        bitmaps.createPersistent(fresh, granularity);
                    }
                }
                case 1 -> {
                    bitmaps.remove(bitmaps.require(name));
                    models.remove(name);
                }
                case 2 -> {
                    bitmaps.require(name).clear();
                    models.get(name).bits.clear();
                }
                case 3 -> {
                    bitmaps.require(name).disable();
                    models.get(name).enabled = false;
                }
                case 4 -> {
                    bitmaps.require(name).enable();
                    models.get(name).enabled = true;
                }
                default -> {
                    long from = random.nextLong(size);
                    long to = Math.min(size, from + 1 + random.nextInt(100_000));
                    BitmapDisk.write(backend, from, (int) (to - from), random.nextInt());
                    for (Model model : models.values()) {
                        model.written(from, to);
                    }
                }
            }
        }
    }

    private static void compare(NodeBitmaps bitmaps, Map<String, Model> models, long seed) throws BlockException {
        assertEquals(models.size(), bitmaps.list().size(), "seed " + seed);
        for (Map.Entry<String, Model> entry : models.entrySet()) {
            DirtyBitmap bitmap = bitmaps.require(entry.getKey());
            Model model = entry.getValue();
            assertEquals(model.granularity, bitmap.granularityBytes());
            assertEquals(model.enabled, bitmap.isEnabled());
            assertTrue(bitmap.isPersistent());
            BitSet found = new BitSet();
            for (long at = 0; at < bitmap.sizeBytes(); at += model.granularity) {
                found.set((int) (at / model.granularity), bitmap.isDirty(at));
            }
            assertEquals(model.bits, found, entry.getKey() + ", seed " + seed);
        }
    }

    @Test
    void whoWritesNothingChangesNothing() throws Exception {
        try (BitmapDisk disk = new BitmapDisk().create(SIZE, clusters(4096))) {
            try (BlockBackend backend = disk.open()) {
                backend.root().bitmaps().createPersistent("b", 4096);
                BitmapDisk.write(backend, 0, 1, 1);
            }
            SparseBytes before = disk.content();
            try (BlockBackend backend = disk.open()) {
                BitmapDisk.read(backend);
                backend.flush();
            }
            assertEquals(-1, before.firstDifference(disk.content()));
        }
    }

    @Test
    void afterACrashBitmapsAreInconsistentAndKeptUntilRemoved() throws Exception {
        try (BitmapDisk disk = new BitmapDisk().create(SIZE, clusters(4096))) {
            try (BlockBackend backend = disk.open()) {
                backend.root().bitmaps().createPersistent("a", 4096);
                backend.root().bitmaps().createPersistent("b", 65536).disable();
                BitmapDisk.write(backend, 0, 1, 1);
            }
            SparseBytes crashed;
            try (BlockBackend backend = disk.open()) {
                BitmapDisk.write(backend, 8192, 1, 2);
                crashed = disk.content();
            }
            disk.replace(crashed);
            String refused = "Bitmap 'a' is inconsistent and cannot be used";
            try (BlockBackend backend = disk.open()) {
                NodeBitmaps bitmaps = backend.root().bitmaps();
                assertEquals(List.of("a", "b"), BitmapDisk.names(backend));
                for (DirtyBitmap bitmap : bitmaps.list()) {
                    assertTrue(bitmap.isInconsistent());
                    assertEquals(0, bitmap.dirtyBytes());
                }
                fails(Kind.CORRUPT, refused, () -> bitmaps.require("a").enable());
                fails(Kind.CORRUPT, refused, () -> backend.resize(2 * SIZE, Preallocation.OFF));
                fails(Kind.EXISTS, "Bitmap already exists: a", () -> bitmaps.createPersistent("a", 4096));
                bitmaps.createPersistent("c", 4096);
                BitmapDisk.write(backend, 65536, 1, 3);
                backend.check(Repair.LEAKS, line -> {});
            }
            try (BlockBackend backend = disk.open()) {
                NodeBitmaps bitmaps = backend.root().bitmaps();
                assertEquals(List.of("a", "b", "c"), BitmapDisk.names(backend));
                assertTrue(bitmaps.require("a").isInconsistent());
                assertEquals(4096, bitmaps.require("c").dirtyBytes());
                bitmaps.remove(bitmaps.require("a"));
                bitmaps.remove(bitmaps.require("b"));
                backend.resize(2 * SIZE, Preallocation.OFF);
                BitmapDisk.write(backend, 2 * SIZE - 1, 1, 3);
            }
            try (BlockBackend backend = disk.open()) {
                assertEquals(List.of("c"), BitmapDisk.names(backend));
                assertEquals(8192, backend.root().bitmaps().require("c").dirtyBytes());
                BitmapDisk.requireSound(backend, false);
            }
        }
    }

    @Test
    void programsThatDoNotKnowBitmapsMakeThemVoid() throws Exception {
        try (BitmapDisk disk = new BitmapDisk().create(SIZE, clusters(4096))) {
            try (BlockBackend backend = disk.open()) {
                backend.root().bitmaps().createPersistent("b", 4096);
                BitmapDisk.write(backend, 0, 1, 1);
            }
            SparseBytes written = disk.content();
            written.fill(88, 8, (byte) 0);
            disk.replace(written);
            try (BlockBackend backend = disk.openReading()) {
                assertEquals(List.of(), BitmapDisk.names(backend));
            }
            assertEquals(-1, written.firstDifference(disk.content()));
            try (BlockBackend backend = disk.open()) {
                assertEquals(List.of(), BitmapDisk.names(backend));
                assertTrue(backend.check(Repair.LEAKS, line -> {}).leaksFixed() >= 3, "directory, table and bits");
                BitmapDisk.requireSound(backend, false);
                backend.root().bitmaps().createPersistent("b", 4096);
            }
            try (BlockBackend backend = disk.openReading()) {
                DirtyBitmap again = backend.root().bitmaps().require("b");
                assertEquals(0, again.dirtyBytes());
                assertTrue(again.isReadOnly());
                fails(Kind.READ_ONLY, "Bitmap 'b' is readonly and cannot be modified", again::clear);
            }
        }
    }

    @Test
    void frozenOnesComeBackWhenTheImageIsClosed() throws Exception {
        try (BitmapDisk disk = new BitmapDisk().create(SIZE, clusters(4096))) {
            try (BlockBackend backend = disk.open()) {
                DirtyBitmap b = backend.root().bitmaps().createPersistent("b", 4096);
                BitmapDisk.write(backend, 0, 1, 1);
                b.createSuccessor();
                BitmapDisk.write(backend, 8192, 1, 1);
            }
            try (BlockBackend backend = disk.open()) {
                DirtyBitmap b = backend.root().bitmaps().require("b");
                assertEquals(8192, b.dirtyBytes());
                b.createSuccessor();
                BitmapDisk.write(backend, 16384, 1, 1);
                b.abdicate();
            }
            try (BlockBackend backend = disk.open()) {
                DirtyBitmap b = backend.root().bitmaps().require("b");
                assertTrue(b.isEnabled() && b.isPersistent());
                assertEquals(4096, b.dirtyBytes());
                BitmapDisk.requireSound(backend, false);
            }
        }
    }

    @Test
    void whatCanNotBeStored() throws Exception {
        try (BitmapDisk disk = new BitmapDisk().create(SIZE, Map.of("compat", "0.10"));
                BlockBackend backend = disk.open()) {
            fails(
                    Kind.UNSUPPORTED,
                    "Can't make bitmap 'b' persistent in '" + backend.root().name()
                            + "': Cannot store dirty bitmaps in qcow2 v2 files",
                    () -> backend.root().bitmaps().createPersistent("b", 4096));
        }
        try (BitmapDisk disk = new BitmapDisk().create(1L << 44, clusters(65536));
                BlockBackend backend = disk.open()) {
            fails(
                    Kind.TOO_LARGE,
                    "Can't make bitmap 'b' persistent in '" + backend.root().name()
                            + "': Too much space will be occupied by the bitmap. Use larger granularity",
                    () -> backend.root().bitmaps().createPersistent("b", 512));
            backend.root().bitmaps().createPersistent("b", 4096);
        }
    }

    /** The header has little room where clusters are small or the backing file's name is long. */
    @Test
    void roomInTheHeader() throws Exception {
        for (int clusterBytes : new int[] {512, 1024, 4096}) {
            for (int nameBytes : new int[] {0, 1, 7, 8, 9, 40, 100, 250, 1023}) {
                Map<String, String> options = new LinkedHashMap<>(clusters(clusterBytes));
                if (nameBytes > 0) {
                    options.put("backing_file", "n".repeat(nameBytes));
                    options.put("backing_fmt", "raw");
                }
                try (BitmapDisk disk = new BitmapDisk()) {
                    try {
                        disk.create(SIZE, options);
                    } catch (BlockException e) {
                        continue;
                    }
                    roomInTheHeader(disk, nameBytes, nameBytes <= clusterBytes / 5);
                }
            }
        }
    }

    private static void roomInTheHeader(BitmapDisk disk, int nameBytes, boolean fits) throws BlockException {
        BlockBackend first = disk.open();
        first.root().bitmaps().createPersistent("b", 4096);
        BitmapDisk.write(first, 0, 1, 1);
        try {
            first.close();
        } catch (BlockException e) {
            assertFalse(fits, e.getMessage());
            assertEquals("Lost persistent bitmaps: No room for the bitmaps extension in the header", e.getMessage());
            try (BlockBackend backend = disk.open()) {
                assertEquals(List.of(), BitmapDisk.names(backend));
                BitmapDisk.requireSound(backend, false);
            }
            return;
        }
        for (int i = 0; i < 2; i++) {
            try (BlockBackend backend = disk.open()) {
                assertEquals(4096L << i, backend.root().bitmaps().require("b").dirtyBytes());
                if (nameBytes > 0) {
                    assertEquals(
                            "n".repeat(nameBytes),
                            backend.root().backingReference().orElseThrow().fileName());
                    assertEquals(
                            "raw",
                            backend.root().backingReference().orElseThrow().format());
                }
                BitmapDisk.requireSound(backend, false);
                BitmapDisk.write(backend, 8192, 1, 1);
                if (i == 1) {
                    backend.root().bitmaps().remove(backend.root().bitmaps().require("b"));
                }
            }
        }
        try (BlockBackend backend = disk.open()) {
            assertEquals(List.of(), BitmapDisk.names(backend));
            BitmapDisk.requireSound(backend, false);
        }
    }

    /** The way without locks leads past the marking only when that is done. */
    @Test
    void queuesMarkFirst() throws Exception {
        try (BitmapDisk disk = new BitmapDisk().create(SIZE, clusters(4096));
                Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(4096, 4096);
            try (BlockBackend backend = disk.open()) {
                backend.write(0, page);
                backend.root().bitmaps().createPersistent("b", 4096);
                backend.flush();
            }
            try (BlockBackend backend = disk.open();
                    BlockQueue queue = backend.openQueue(2)) {
                queue.write(0, page, 1);
                queue.submit();
                queue.await(1, (token, result) -> assertEquals(4096, result));
                assertEquals(4096, backend.root().bitmaps().require("b").dirtyBytes());
                try (BitmapDisk crashed = new BitmapDisk(UnaryOperator.identity(), disk.content());
                        BlockBackend after = crashed.openReading()) {
                    assertTrue(after.root().bitmaps().require("b").isInconsistent());
                }
            }
        }
    }

    /** Whoever holds a bitmap holds it still when the image is opened again in another mode. */
    @Test
    void openedAgainInAnotherMode() throws Exception {
        try (BitmapDisk disk = new BitmapDisk().create(SIZE, clusters(4096))) {
            try (BlockBackend backend = disk.open()) {
                DirtyBitmap b = backend.root().bitmaps().createPersistent("b", 4096);
                BitmapDisk.write(backend, 0, 1, 1);
                disk.setReadOnly(backend, true);
                assertTrue(b.isReadOnly());
                try (BitmapDisk copy = new BitmapDisk(UnaryOperator.identity(), disk.content());
                        BlockBackend stored = copy.openReading()) {
                    assertEquals(4096, stored.root().bitmaps().require("b").dirtyBytes());
                    assertFalse(stored.root().bitmaps().require("b").isInconsistent());
                }
                disk.setReadOnly(backend, false);
                assertFalse(b.isReadOnly());
                BitmapDisk.write(backend, 8192, 1, 1);
                assertEquals(8192, b.dirtyBytes());
                assertEquals(List.of(b), backend.root().bitmaps().list());
                try (BitmapDisk crashed = new BitmapDisk(UnaryOperator.identity(), disk.content());
                        BlockBackend after = crashed.openReading()) {
                    assertTrue(after.root().bitmaps().require("b").isInconsistent());
                }
            }
            try (BlockBackend backend = disk.open()) {
                assertEquals(8192, backend.root().bitmaps().require("b").dirtyBytes());
                BitmapDisk.requireSound(backend, false);
            }
        }
    }

    /** A bitmap's table of no entries makes the whole image one that no program opens. */
    @Test
    void aDiskOfNoBytesKeepsNoBitmaps() throws Exception {
        try (BitmapDisk disk = new BitmapDisk().create(SIZE, clusters(4096))) {
            try (BlockBackend backend = disk.open()) {
                backend.root().bitmaps().createPersistent("b", 4096);
                String refusal = "Cannot shrink qcow2 with persistent bitmaps to 0 bytes";
                fails(Kind.UNSUPPORTED, refusal, () -> backend.resize(0, Preallocation.OFF));
                backend.flush();
            }
            try (BlockBackend backend = disk.open()) {
                assertEquals(SIZE, backend.root().lengthBytes());
                fails(
                        Kind.UNSUPPORTED,
                        "Cannot shrink qcow2 with persistent bitmaps to 0 bytes",
                        () -> backend.resize(0, Preallocation.OFF));
                backend.root().bitmaps().remove(backend.root().bitmaps().require("b"));
                backend.resize(0, Preallocation.OFF);
                fails(
                        Kind.INVALID,
                        "Can't make bitmap 'b' persistent in '#block004': A disk of 0 bytes has no bitmap to store",
                        () -> backend.root().bitmaps().createPersistent("b", 4096));
            }
            try (BlockBackend backend = disk.open()) {
                assertEquals(0, backend.root().lengthBytes());
                BitmapDisk.requireSound(backend, false);
            }
        }
    }

    @Test
    void compressedWritesMarkFirst() throws Exception {
        try (BitmapDisk disk = new BitmapDisk().create(SIZE, clusters(4096))) {
            try (BlockBackend backend = disk.open()) {
                backend.root().bitmaps().createPersistent("b", 4096);
            }
            try (BlockBackend backend = disk.open()) {
                backend.writeCompressed(8192, MemorySegment.ofArray(new byte[4096]));
                assertEquals(4096, backend.root().bitmaps().require("b").dirtyBytes());
                try (BitmapDisk crashed = new BitmapDisk(UnaryOperator.identity(), disk.content());
                        BlockBackend after = crashed.openReading()) {
                    assertTrue(after.root().bitmaps().require("b").isInconsistent());
                }
            }
        }
    }
}
