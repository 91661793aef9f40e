package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashState;
import dev.ashlar.testkit.crash.CrashStates;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.model.DiskExpectation;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/**
 * Amended images hold what they held, whenever the power fails (rules R1, R2, R7): with the old refcounts or the new, the old version or the new. The seed by the
 * property {@code ashlar.amend.seed}.
 */
class AmendTest {
    private static final Qcow2Driver DRIVER = new Qcow2Driver();
    private static final long SEED = Long.getLong("ashlar.amend.seed", System.nanoTime() & 0xffff_ffffL);

    @Test
    void everyWidthToEveryOther() throws Exception {
        Random random = new Random(SEED);
        for (int from : new int[] {1, 2, 4, 8, 16, 32, 64}) {
            int to = 1 << random.nextInt(7);
            crashed(from, Map.of("refcount_bits", Integer.toString(to)), from > 1 && to > 1, SEED + from);
        }
    }

    @Test
    void versionsGoDownAndUp() throws Exception {
        crashed(16, Map.of("compat", "0.10"), false, SEED);
        crashed(16, Map.of("lazy_refcounts", "on"), true, SEED + 1);
    }

    @Test
    void aCountThatDoesNotFitIsNamedAndNothingChanges() throws BlockException {
        MemoryFile file = MemoryFile.empty("disk");
        ImageMachine.create(file, 64 << 10, Map.of("cluster_size", "4096"));
        SparseBytes before;
        try (DirectFormat disk = DirectFormat.open(DRIVER, new MemoryProtocol(file))) {
            disk.write(0, new byte[] {1});
            disk.createSnapshot("s");
            disk.flush();
            before = file.snapshot();
            BlockException refused = assertThrows(BlockException.class, () -> disk.amend(Map.of("refcount_bits", "1")));
            assertTrue(
                    String.valueOf(refused.getMessage()).startsWith("Cannot decrease refcount entry width to 1 bits"));
        }
        assertEquals(-1, before.firstDifference(file.snapshot()));
    }

    /** R7: version 3 wants what these entries do not say; it is there, in a table of its own, before the header says version 3. */
    @Test
    void incompleteSnapshotEntriesAreCompletedFirst() throws Exception {
        MemoryFile file = MemoryFile.empty("disk");
        long size = 512 * 300L;
        ImageMachine.create(file, size, Map.of("cluster_size", "512", "compat", "0.10"));
        ImageMachine before =
                new ImageMachine(file, UnaryOperator.identity(), new WriteLog(), new ByteModel(size), size, true);
        before.run(new Operation(Operation.Kind.WRITE_CLUSTERS, 3, 40));
        before.run(new Operation(Operation.Kind.SNAPSHOT_CREATE, 0, 0));
        before.run(new Operation(Operation.Kind.WRITE, 5, 100));
        ByteModel model = before.model().fork();
        before.close();
        RawImage image = new RawImage(file);
        long table = image.u64(64);
        int namesBytes = (image.u32(table + 12) >>> 16) + (image.u32(table + 12) & 0xffff);
        image.put(table + 40, image.bytes(table + 40 + image.u32(table + 36), namesBytes));
        image.putU32(table + 36, 0);
        SparseBytes initial = file.snapshot();
        WriteLog log = new WriteLog();
        ImageMachine machine =
                new ImageMachine(file, protocol -> new RecordingProtocol(protocol, log), log, model, size, true);
        machine.image().amend(Map.of("compat", "1.1"));
        machine.reopen();
        machine.requireEqual();
        machine.requireClean();
        machine.close();
        assertEquals(3, image.u32(4));
        assertTrue(image.u32(image.u64(64) + 36) >= 16, "the entry says how long its disk was");
        CrashStates.forEachState(log, initial, SEED, 60, AmendTest::look);
    }

    private static void crashed(int bits, Map<String, String> options, boolean snapshot, long seed) throws Exception {
        MemoryFile file = MemoryFile.empty("disk");
        long size = 512 * 300L;
        ImageMachine.create(file, size, Map.of("cluster_size", "512", "refcount_bits", Integer.toString(bits)));
        Random random = new Random(seed);
        ImageMachine before =
                new ImageMachine(file, UnaryOperator.identity(), new WriteLog(), new ByteModel(size), size, true);
        for (int i = 0; i < 12; i++) {
            before.run(new Operation(
                    List.of(Operation.Kind.WRITE, Operation.Kind.WRITE_CLUSTERS, Operation.Kind.ZERO)
                            .get(i % 3),
                    random.nextInt(Operation.PLACES),
                    random.nextInt(Operation.AMOUNTS)));
        }
        if (snapshot) {
            before.run(new Operation(Operation.Kind.SNAPSHOT_CREATE, 0, 0));
            before.run(new Operation(Operation.Kind.WRITE, 5, 100));
        }
        ByteModel model = before.model().fork();
        before.close();
        SparseBytes initial = file.snapshot();
        WriteLog log = new WriteLog();
        ImageMachine machine =
                new ImageMachine(file, protocol -> new RecordingProtocol(protocol, log), log, model, size, true);
        machine.image().amend(options);
        machine.reopen();
        machine.requireEqual();
        machine.requireClean();
        machine.close();
        CrashInspection inspection = new CrashInspection(log, List.of(), seed);
        try {
            CrashStates.forEachState(log, initial, seed, 60, state -> {
                int width = Integer.parseInt(options.getOrDefault("refcount_bits", "16"));
                if (Math.min(bits, width) <= 4 || options.containsKey("compat")) {
                    // narrow counts and version 2 can't do all that the use of an image after a crash tries
                    look(state);
                    return;
                }
                inspection.inspect(state);
            });
        } catch (AssertionError e) {
            throw new AssertionError("-Dashlar.amend.seed=" + SEED + " " + bits + options + ": " + e.getMessage(), e);
        }
    }

    private static void look(CrashState state) throws BlockException {
        DiskExpectation expectation = state.lastMark(DiskExpectation.class);
        if (expectation == null) {
            return;
        }
        MemoryProtocol protocol =
                new MemoryProtocol(MemoryFile.of("crashed", state.image().fork()));
        try (DirectFormat disk = DirectFormat.open(DRIVER, protocol, Flag.READ_ONLY, Flag.CHECK)) {
            assertEquals(0, disk.check(Repair.NONE).corruptions(), () -> "in " + state);
            assertEquals("", expectation.mismatch(ImageMachine.found(disk)), () -> "in " + state);
        }
    }
}
