package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.core.bitmap.NodeBitmaps;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.ProtocolInstance;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashState;
import dev.ashlar.testkit.crash.CrashStates;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.protocol.FaultProtocol;
import dev.ashlar.testkit.protocol.FaultProtocol.Damage;
import dev.ashlar.testkit.protocol.FaultProtocol.Duration;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/**
 * A power cut, or a failure of any one call, while bitmaps are marked, stored, added and removed: the image is sound but for leaks, and each bitmap is inconsistent
 * or tells of every byte that differs from what the disk held when the bitmap was clean. Rules R1 to R5, R7 and R10 of bitmaps. Rounds by the property {@code
 * ashlar.crash.rounds}, first seed by {@code ashlar.crash.seed}, states of each round by {@code ashlar.crash.states}.
 */
class StoredBitmapsCrashTest {
    private static final int ROUNDS = Integer.getInteger("ashlar.crash.rounds", 3);
    private static final long FIRST_SEED = Long.getLong("ashlar.crash.seed", System.nanoTime() & 0xffff_ffffL);
    private static final int STATES = Integer.getInteger("ashlar.crash.states", 300);

    private static final long SIZE = 256 << 10;

    /** Names that must be there in every later state, or must not be there any more. */
    private record Promise(List<String> present, List<String> absent) {}

    /** An image with two clean bitmaps, {@code a} enabled and {@code b} disabled, over some content. */
    private static SparseBytes initial(int clusterBytes, Random random) throws BlockException {
        try (BitmapDisk disk = new BitmapDisk().create(SIZE, Map.of("cluster_size", Integer.toString(clusterBytes)))) {
            try (BlockBackend backend = disk.open()) {
                for (int i = 0; i < 10; i++) {
                    BitmapDisk.write(backend, random.nextInt((int) SIZE - 5000), 5000, 1 + i);
                }
                backend.root().bitmaps().createPersistent("a", 512);
                backend.root().bitmaps().createPersistent("b", 4096).disable();
            }
            return disk.content();
        }
    }

    /** Two openings: writes and a bitmap that goes, then writes and a bitmap that comes. */
    private static void sessions(BitmapDisk disk, WriteLog log, Random random) throws BlockException {
        try (BlockBackend backend = disk.open()) {
            writes(backend, random);
            NodeBitmaps bitmaps = backend.root().bitmaps();
            log.note(new Promise(List.of("a"), List.of()));
            bitmaps.remove(bitmaps.require("b"));
            log.mark(new Promise(List.of("a"), List.of("b")));
            writes(backend, random);
        }
        log.mark(new Promise(List.of("a"), List.of("b")));
        try (BlockBackend backend = disk.open()) {
            if (random.nextBoolean()) {
                writes(backend, random);
            }
            DirtyBitmap fresh = backend.root().bitmaps().createPersistent("c-with-a-longer-name", 1024);
            log.note(new Promise(List.of("a"), List.of("b")));
            // All that differs already is dirty there, too: one rule for all bitmaps.
            fresh.merge(List.of(backend.root().bitmaps().require("a")));
            writes(backend, random);
        }
        log.mark(new Promise(List.of("a", "c-with-a-longer-name"), List.of("b")));
    }

    private static void writes(BlockBackend backend, Random random) throws BlockException {
        for (int i = 1 + random.nextInt(4); i > 0; i--) {
            int at = random.nextInt((int) SIZE - 3000);
            switch (random.nextInt(6)) {
                case 0 -> backend.writeZeroes(at, 3000, true);
                case 1 -> backend.discard(at, 3000);
                case 2 -> backend.flush();
                default -> BitmapDisk.write(backend, at, 1 + random.nextInt(3000), 100 + i);
            }
        }
    }

    @Test
    void powerCutSmallClusters() throws Exception {
        powerCuts(512);
    }

    @Test
    void powerCutPages() throws Exception {
        powerCuts(4096);
    }

    private static void powerCuts(int clusterBytes) throws Exception {
        for (int round = 0; round < ROUNDS; round++) {
            long seed = FIRST_SEED + round;
            try {
                Random random = new Random(seed);
                SparseBytes initial = initial(clusterBytes, random);
                WriteLog log = record(initial, random);
                byte[] before = contentOf(initial);
                long shown = CrashStates.forEachState(log, initial, seed, STATES, state -> inspect(state, before));
                assertTrue(shown > 50);
            } catch (Exception | AssertionError e) {
                throw new AssertionError("-Dashlar.crash.seed=" + seed + ": " + e.getMessage(), e);
            }
        }
    }

    private static WriteLog record(SparseBytes initial, Random random) throws BlockException {
        WriteLog log = new WriteLog();
        try (BitmapDisk disk = new BitmapDisk(protocol -> new RecordingProtocol(protocol, log), initial.fork())) {
            log.mark(new Promise(List.of("a", "b"), List.of()));
            sessions(disk, log, random);
        }
        return log;
    }

    private static byte[] contentOf(SparseBytes image) throws BlockException {
        try (BitmapDisk disk = new BitmapDisk(UnaryOperator.identity(), image.fork());
                BlockBackend backend = disk.openReading()) {
            return BitmapDisk.read(backend);
        }
    }

    private static void inspect(CrashState state, byte[] before) throws BlockException {
        Promise last = state.lastMark(Promise.class);
        Promise promise = last == null ? new Promise(List.of("a", "b"), List.of()) : last;
        try (BitmapDisk disk =
                new BitmapDisk(UnaryOperator.identity(), state.image().fork())) {
            try (BlockBackend backend = disk.open()) {
                inspect(backend, promise, before, state.toString());
            }
            // What is there can be worked with, and goes away.
            try (BlockBackend backend = disk.open()) {
                backend.check(Repair.LEAKS, line -> {});
                BitmapDisk.requireSound(backend, false);
                for (DirtyBitmap bitmap : backend.root().bitmaps().list()) {
                    backend.root().bitmaps().remove(bitmap);
                }
                BitmapDisk.requireSound(backend, false);
            }
        } catch (BlockException e) {
            throw new AssertionError(e.getMessage() + "\nin " + state, e);
        }
    }

    private static void inspect(BlockBackend backend, Promise promise, byte[] before, String state)
            throws BlockException {
        BitmapDisk.requireSound(backend, true);
        List<String> names = BitmapDisk.names(backend);
        assertTrue(names.containsAll(promise.present()), () -> names + ", promised " + promise + " in " + state);
        for (String name : promise.absent()) {
            assertFalse(names.contains(name), () -> names + ", promised " + promise + " in " + state);
        }
        byte[] now = BitmapDisk.read(backend);
        for (DirtyBitmap bitmap : backend.root().bitmaps().list()) {
            if (bitmap.isInconsistent() || !bitmap.isEnabled()) {
                // The disabled one is as it was or gone or known to be out of date.
                continue;
            }
            for (int at = 0; at < SIZE; at++) {
                if (now[at] != before[at] && !bitmap.isDirty(at)) {
                    throw new AssertionError(bitmap + " does not tell of byte " + at + " in " + state);
                }
            }
        }
    }

    /** When all is written and closed nothing may be lost: the last state of the log. */
    @Test
    void afterClosingAllIsThere() throws Exception {
        Random random = new Random(FIRST_SEED);
        SparseBytes initial = initial(4096, random);
        byte[] before = contentOf(initial);
        try (BitmapDisk disk = new BitmapDisk(UnaryOperator.identity(), initial.fork())) {
            sessions(disk, new WriteLog(), random);
            try (BlockBackend backend = disk.open()) {
                assertEquals(List.of("a", "c-with-a-longer-name"), BitmapDisk.names(backend));
                for (DirtyBitmap bitmap : backend.root().bitmaps().list()) {
                    assertFalse(bitmap.isInconsistent());
                }
                inspect(backend, new Promise(List.of("a"), List.of("b")), before, "the end");
                BitmapDisk.requireSound(backend, false);
            }
        }
    }

    /** The n-th write or flush fails, for every n. */
    @Test
    void everyCallFailsOnce() throws Exception {
        for (Duration duration : List.of(Duration.ONCE, Duration.FOR_EVER)) {
            Random random = new Random(FIRST_SEED);
            SparseBytes initial = initial(4096, random);
            byte[] before = contentOf(initial);
            long seed = random.nextLong();
            long n = 1;
            while (failsAt(n, duration, initial, before, seed)) {
                n++;
            }
            assertTrue(n > 20, "only " + n + " calls");
        }
    }

    private static boolean failsAt(long n, Duration duration, SparseBytes initial, byte[] before, long seed)
            throws BlockException {
        List<FaultProtocol> opened = new ArrayList<>();
        UnaryOperator<ProtocolInstance> wrapper = protocol -> {
            FaultProtocol fault = new FaultProtocol(protocol);
            long done = 0;
            for (FaultProtocol earlier : opened) {
                done += earlier.changeCount();
            }
            if (n > done) {
                fault.failChange(n - done, Kind.NO_SPACE, duration, Damage.NONE);
            }
            opened.add(fault);
            return fault;
        };
        BitmapDisk disk = new BitmapDisk(wrapper, initial.fork());
        boolean failed = false;
        try {
            sessions(disk, new WriteLog(), new Random(seed));
            disk.close();
        } catch (BlockException e) {
            failed = true;
        }
        boolean struck = false;
        for (FaultProtocol fault : opened) {
            struck |= fault.struckCount() > 0;
        }
        String where = "call " + n + " " + duration + ", -Dashlar.crash.seed=" + FIRST_SEED;
        assertEquals(struck, failed, where + ": a failure that nobody heard of, or the other way round");
        try (BitmapDisk after = new BitmapDisk(UnaryOperator.identity(), disk.content());
                BlockBackend backend = after.open()) {
            inspect(backend, new Promise(List.of("a"), List.of()), before, where);
        }
        return struck;
    }

    /** Real tools find in a sample of the states what ours find. */
    @Test
    @RequiresQemu
    void realToolsHealASampleOfTheStates(@ScratchDir Path directory) throws Exception {
        Random random = new Random(FIRST_SEED);
        SparseBytes initial = initial(65536, random);
        WriteLog log = record(initial, random);
        Path file = directory.resolve("crashed.qcow2");
        CrashStates.forEachState(log, initial, FIRST_SEED, 25, state -> {
            state.image().writeTo(file);
            // with bitmaps the real program's own repair may leave leaks that its next one finds
            QemuTools.img("check", "-f", "qcow2", "-r", "leaks", file.toString());
            QemuTools.requireHealedByLeakRepair(file);
            List<String> ours;
            try (BitmapDisk disk = new BitmapDisk(
                            UnaryOperator.identity(), state.image().fork());
                    BlockBackend backend = disk.openReading()) {
                ours = BitmapDisk.names(backend);
            }
            String info = QemuTools.img("info", file.toString()).orFail().output();
            for (String name : ours) {
                assertTrue(info.contains("name: " + name + "\n"), info);
            }
        });
    }
}
