package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashStates;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/**
 * Bitmaps under an amended image: another refcount width and another size leave them as they are, whenever the power fails; version 2 has none, so they go, one by
 * one, before the version does (rules R1, R4, R7, R10). The seed by the property {@code ashlar.amend.seed}.
 */
class AmendBitmapsTest {
    private static final long SEED = Long.getLong("ashlar.amend.seed", System.nanoTime() & 0xffff_ffffL);
    private static final long SIZE = 128 << 10;
    private static final int WRITES = 10;

    /** An image with a bitmap that knows of some writes, and one that was switched off before them. */
    private static SparseBytes initial(Random random) throws BlockException {
        try (BitmapDisk disk = new BitmapDisk().create(SIZE, Map.of("cluster_size", "512"))) {
            try (BlockBackend backend = disk.open()) {
                backend.root().bitmaps().createPersistent("a", 512);
                backend.root().bitmaps().createPersistent("b", 4096).disable();
                for (int i = 0; i < WRITES; i++) {
                    BitmapDisk.write(backend, random.nextInt((int) SIZE - 3000), 3000, 1 + i);
                }
            }
            return disk.content();
        }
    }

    /** What an image holds. */
    private record Held(byte[] bytes, Map<String, BitSet> bitmaps) {}

    private static Held heldBy(BlockBackend backend) throws BlockException {
        Map<String, BitSet> bitmaps = new java.util.TreeMap<>();
        for (DirtyBitmap each : backend.root().bitmaps().list()) {
            assertFalse(each.isInconsistent(), () -> each + " is inconsistent");
            bitmaps.put(String.valueOf(each.name()), BitmapDisk.sectors(each));
        }
        return new Held(BitmapDisk.read(backend), bitmaps);
    }

    private static Held heldBy(SparseBytes image) throws BlockException {
        try (BitmapDisk disk = new BitmapDisk(UnaryOperator.identity(), image.fork());
                BlockBackend backend = disk.openReading()) {
            return heldBy(backend);
        }
    }

    @Test
    void anotherWidthKeepsThem() throws Exception {
        for (int bits : new int[] {1, 8, 64}) {
            SparseBytes initial = initial(new Random(SEED));
            Held before = heldBy(initial);
            SparseBytes after = amended(initial, Map.of("refcount_bits", Integer.toString(bits)), before, true);
            Held held = heldBy(after);
            assertArrayEquals(before.bytes(), held.bytes());
            assertEquals(before.bitmaps(), held.bitmaps());
        }
    }

    /** What changes with the size is stored before the other width is in force. */
    @Test
    void anotherSizeAndWidthAtOnce() throws Exception {
        SparseBytes initial = initial(new Random(SEED));
        Held before = heldBy(initial);
        Map<String, String> options = Map.of("size", Long.toString(SIZE + (8 << 20)), "refcount_bits", "64");
        SparseBytes after = amended(initial, options, before, false);
        Held held = heldBy(after);
        assertEquals(before.bitmaps().get("b"), held.bitmaps().get("b"));
        // what is new was written by nobody
        assertEquals(before.bitmaps().get("a"), held.bitmaps().get("a"));
        try (BitmapDisk disk = new BitmapDisk(UnaryOperator.identity(), after);
                BlockBackend backend = disk.open()) {
            BitmapDisk.write(backend, SIZE + 100_000, 1000, 1);
            DirtyBitmap bitmap = backend.root().bitmaps().require("a");
            assertTrue(bitmap.isDirty(SIZE + 100_000));
        }
    }

    @Test
    void versionTwoHasNone() throws Exception {
        SparseBytes initial = initial(new Random(SEED));
        Held before = heldBy(initial);
        SparseBytes after = amended(initial, Map.of("compat", "0.10"), before, false);
        Held held = heldBy(after);
        assertArrayEquals(before.bytes(), held.bytes());
        assertEquals(Map.of(), held.bitmaps());
    }

    /**
     * Amends, looks at all that a power cut leaves and at the end.
     *
     * @param kept every state has all bitmaps, fit for use; else each state has some of them
     * @return the image as it is afterwards
     */
    private static SparseBytes amended(SparseBytes initial, Map<String, String> options, Held before, boolean kept)
            throws Exception {
        WriteLog log = new WriteLog();
        SparseBytes after;
        try (BitmapDisk disk = new BitmapDisk(protocol -> new RecordingProtocol(protocol, log), initial.fork())) {
            try (BlockBackend backend = disk.open()) {
                backend.amend(options, done -> {});
            }
            try (BlockBackend backend = disk.openReading()) {
                BitmapDisk.requireSound(backend, false);
            }
            after = disk.content();
        }
        List<String> seen = new ArrayList<>();
        CrashStates.forEachState(log, initial, SEED, 200, state -> {
            try (BitmapDisk disk = new BitmapDisk(
                            UnaryOperator.identity(), state.image().fork());
                    BlockBackend backend = disk.open()) {
                BitmapDisk.requireSound(backend, true);
                seen.add(state.toString());
                byte[] now = BitmapDisk.read(backend);
                assertArrayEquals(
                        before.bytes(), java.util.Arrays.copyOf(now, before.bytes().length), () -> "in " + state);
                if (kept) {
                    assertEquals(before.bitmaps(), heldBy(backend).bitmaps(), () -> "in " + state);
                }
                backend.check(dev.ashlar.core.spi.Checkable.Repair.LEAKS, line -> {});
                BitmapDisk.requireSound(backend, false);
            } catch (BlockException | AssertionError e) {
                throw new AssertionError(
                        "-Dashlar.amend.seed=" + SEED + " " + options + ": " + e.getMessage() + " in " + state, e);
            }
        });
        assertTrue(seen.size() > 5, "only " + seen);
        return after;
    }
}
