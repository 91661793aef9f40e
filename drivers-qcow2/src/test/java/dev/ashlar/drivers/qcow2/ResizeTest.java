package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashStates;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.FaultProtocol;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/**
 * Disks that grow and shrink: nothing old comes back, each step is durable before the next (rules R3, R4, R5), and what fails leaves the old size or the new
 * one. The first seed by the property {@code ashlar.resize.seed}, rounds by {@code ashlar.resize.rounds}.
 */
class ResizeTest {
    private static final Qcow2Driver DRIVER = new Qcow2Driver();
    private static final int ROUNDS = Integer.getInteger("ashlar.resize.rounds", 6);
    private static final long FIRST_SEED = Long.getLong("ashlar.resize.seed", System.nanoTime() & 0xffff_ffffL);
    private static final int CLUSTER = 4096;

    @Test
    void whatWasCutOffDoesNotComeBack() throws BlockException {
        for (long cut : new long[] {CLUSTER * 5L, CLUSTER * 5L + 512, CLUSTER * 5L + 3584, 512}) {
            MemoryFile file = image(Map.of());
            try (DirectFormat disk = open(file)) {
                byte[] full = filled(CLUSTER * 40);
                disk.write(0, full);
                disk.resize(cut);
                disk.resize(CLUSTER * 40L);
                byte[] expected = Arrays.copyOf(Arrays.copyOf(full, (int) cut), full.length);
                assertArrayEquals(expected, disk.content().read(0, full.length), "cut at " + cut);
            }
        }
    }

    @Test
    void theFileEndsBehindTheLastClusterInUse() throws BlockException {
        MemoryFile file = image(Map.of("refcount_bits", "64"));
        try (DirectFormat disk = open(file)) {
            byte[] full = filled(CLUSTER * 1200);
            disk.resize(full.length);
            disk.write(0, full);
            disk.flush();
            assertTrue(file.lengthBytes() > full.length, "two refcount blocks are there");
            disk.resize(CLUSTER);
            assertTrue(file.lengthBytes() <= 8 * CLUSTER, "file of " + file.lengthBytes());
            assertEquals(
                    0, disk.check(dev.ashlar.core.spi.Checkable.Repair.NONE).leaks());
        }
    }

    @Test
    void snapshotsKeepADiskFromShrinking() throws BlockException {
        try (DirectFormat disk = open(image(Map.of()))) {
            disk.createSnapshot("s");
            BlockException refused = assertThrows(BlockException.class, () -> disk.resize(CLUSTER));
            assertEquals(Kind.UNSUPPORTED, refused.kind());
            assertEquals(CLUSTER * 40L, disk.format().lengthBytes());
            disk.resize(CLUSTER * 41L);
        }
        try (DirectFormat disk = open(image(Map.of("compat", "0.10")))) {
            disk.createSnapshot("s");
            assertThrows(BlockException.class, () -> disk.resize(CLUSTER * 41L));
        }
    }

    @Test
    void aFullHostLeavesTheOldSize() throws BlockException {
        MemoryFile file = image(Map.of());
        FaultProtocol fault = new FaultProtocol(new MemoryProtocol(file));
        try (DirectFormat disk = DirectFormat.open(DRIVER, fault)) {
            disk.write(0, filled(CLUSTER));
            fault.failWhen(
                    call -> call.operation() == FaultProtocol.Operation.TRUNCATE,
                    Kind.NO_SPACE,
                    FaultProtocol.Duration.ONCE,
                    FaultProtocol.Damage.NONE);
            assertThrows(BlockException.class, () -> disk.resize(CLUSTER * 90L, Preallocation.FALLOC));
            assertEquals(CLUSTER * 40L, disk.format().lengthBytes());
            disk.resize(CLUSTER * 90L, Preallocation.FALLOC);
            assertEquals(
                    0, disk.check(dev.ashlar.core.spi.Checkable.Repair.NONE).leaks());
        }
    }

    @Test
    void powerCutsLeaveTheOldSizeOrTheNew() throws Exception {
        for (int round = 0; round < ROUNDS; round++) {
            crashRound(FIRST_SEED + round, round % 2 == 0 ? 512 : CLUSTER);
        }
    }

    private static void crashRound(long seed, int clusterBytes) throws Exception {
        Random random = new Random(seed);
        long size = clusterBytes * 90L + 512;
        MemoryFile file = MemoryFile.empty("disk");
        ImageMachine.create(file, size, Map.of("cluster_size", Integer.toString(clusterBytes)));
        SparseBytes initial = file.snapshot();
        WriteLog log = new WriteLog();
        ImageMachine machine = new ImageMachine(
                file, protocol -> new RecordingProtocol(protocol, log), log, new ByteModel(size), 3 * size, true);
        List<Operation> operations = new ArrayList<>();
        Operation.Kind[] kinds = {
            Operation.Kind.WRITE, Operation.Kind.WRITE_CLUSTERS, Operation.Kind.FLUSH, Operation.Kind.SHRINK,
            Operation.Kind.GROW, Operation.Kind.GROW_PREALLOCATED, Operation.Kind.SHRINK, Operation.Kind.WRITE_CLUSTERS,
        };
        try {
            for (int i = 0; i < 16; i++) {
                Operation operation = new Operation(
                        kinds[random.nextInt(kinds.length)],
                        random.nextInt(Operation.PLACES),
                        random.nextInt(Operation.AMOUNTS));
                operations.add(operation);
                machine.run(operation);
            }
            machine.requireEqual();
            machine.requireClean();
            machine.close();
            CrashInspection inspection = new CrashInspection(log, operations, seed);
            CrashStates.forEachState(log, initial, seed, 120, inspection::inspect);
        } catch (Exception | AssertionError e) {
            throw new AssertionError("-Dashlar.resize.seed=" + seed + ": " + e.getMessage(), e);
        }
    }

    @Test
    void randomSizesAgreeWithAModel() throws BlockException {
        Random random = new Random(FIRST_SEED);
        for (String extended : List.of("off", "on")) {
            MemoryFile file = MemoryFile.empty("disk");
            int clusterBytes = extended.equals("on") ? 16 << 10 : CLUSTER;
            long size = clusterBytes * 30L + 512;
            ImageMachine.create(
                    file, size, Map.of("cluster_size", Integer.toString(clusterBytes), "extended_l2", extended));
            ImageMachine machine = new ImageMachine(
                    file, UnaryOperator.identity(), new WriteLog(), new ByteModel(size), 3 * size, true);
            Operation.Kind[] kinds = {
                Operation.Kind.WRITE,
                Operation.Kind.WRITE_CLUSTERS,
                Operation.Kind.SHRINK,
                Operation.Kind.GROW,
                Operation.Kind.GROW_PREALLOCATED,
                Operation.Kind.ZERO,
                Operation.Kind.DISCARD,
            };
            for (int i = 0; i < 400; i++) {
                machine.run(new Operation(
                        kinds[random.nextInt(kinds.length)],
                        random.nextInt(Operation.PLACES),
                        random.nextInt(Operation.AMOUNTS)));
                if (i % 20 == 0) {
                    machine.requireEqual();
                }
            }
            machine.requireEqual();
            machine.requireClean();
            machine.close();
        }
    }

    private static MemoryFile image(Map<String, String> options) throws BlockException {
        MemoryFile file = MemoryFile.empty("disk");
        Map<String, String> all = new java.util.HashMap<>(options);
        all.put("cluster_size", Integer.toString(CLUSTER));
        ImageMachine.create(file, CLUSTER * 40L, all);
        return file;
    }

    private static DirectFormat open(MemoryFile file) throws BlockException {
        return DirectFormat.open(DRIVER, new MemoryProtocol(file));
    }

    private static byte[] filled(int count) {
        byte[] bytes = new byte[count];
        for (int i = 0; i < count; i++) {
            bytes[i] = (byte) (1 + i / 512 % 200);
        }
        return bytes;
    }
}
