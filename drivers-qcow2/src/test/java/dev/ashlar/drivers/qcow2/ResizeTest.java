package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
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
import java.util.HashMap;
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
        cutOff(Map.of());
        cutOff(ImageMachine.ENCRYPTION);
    }

    private static void cutOff(Map<String, String> options) throws BlockException {
        for (long cut : new long[] {CLUSTER * 5L, CLUSTER * 5L + 512, CLUSTER * 5L + 3584, 512}) {
            MemoryFile file = image(options);
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

    /** Zero bytes of the file are noise on an encrypted disk: what is allocated ahead reads as zeros all the same, and is in place for data. */
    @Test
    void whatIsAllocatedAheadOnAnEncryptedDiskReadsAsZeros() throws BlockException {
        for (String shape : List.of("compat=1.1", "compat=0.10", "extended_l2=on,cluster_size=16384")) {
            for (String mode : List.of("metadata", "falloc", "full")) {
                Map<String, String> options = new HashMap<>(ImageMachine.ENCRYPTION);
                options.put("preallocation", mode);
                for (String each : shape.split(",")) {
                    options.put(each.split("=")[0], each.split("=")[1]);
                }
                preallocated(options, Preallocation.valueOf(mode.toUpperCase(java.util.Locale.ROOT)));
            }
        }
    }

    private static void preallocated(Map<String, String> options, Preallocation mode) throws BlockException {
        MemoryFile file = image(options);
        byte[] expected = new byte[CLUSTER * 80 + 512];
        try (DirectFormat disk = open(file)) {
            assertArrayEquals(
                    Arrays.copyOf(expected, CLUSTER * 40), disk.content().read(0, CLUSTER * 40), "created " + options);
            byte[] piece = filled(CLUSTER + 512);
            disk.write(CLUSTER * 3 + 512, piece);
            System.arraycopy(piece, 0, expected, CLUSTER * 3 + 512, piece.length);
            disk.flush();
            long length = file.lengthBytes();
            disk.resize(expected.length, mode);
            assertTrue(file.lengthBytes() >= length + CLUSTER * 40, "clusters for the new part");
            assertArrayEquals(expected, disk.content().read(0, expected.length), "grown " + options);
            disk.flush();
            length = file.lengthBytes();
            disk.write(CLUSTER * 60 + 1024, piece);
            System.arraycopy(piece, 0, expected, CLUSTER * 60 + 1024, piece.length);
            disk.flush();
            assertEquals(length, file.lengthBytes(), "written in place");
        }
        try (DirectFormat disk = open(file)) {
            assertArrayEquals(expected, disk.content().read(0, expected.length), "opened again " + options);
            CheckReport report = disk.check(Repair.NONE);
            assertEquals(0, report.leaks() + report.corruptions());
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
            assertEquals(0, disk.check(Repair.NONE).leaks());
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
            assertEquals(0, disk.check(Repair.NONE).leaks());
        }
    }

    @Test
    void powerCutsLeaveTheOldSizeOrTheNew() throws Exception {
        for (int round = 0; round < ROUNDS; round++) {
            crashRound(FIRST_SEED + round, round % 2 == 0 ? 512 : CLUSTER, Map.of(), 120);
        }
    }

    /** A key takes its time to derive, for each opening anew: fewer states. */
    @Test
    void powerCutsLeaveTheOldSizeOrTheNewOfEncryptedDisks() throws Exception {
        for (int round = 0; round < Math.ceilDiv(ROUNDS, 3); round++) {
            crashRound(FIRST_SEED + round, round % 2 == 0 ? 512 : CLUSTER, ImageMachine.ENCRYPTION, 30);
        }
    }

    private static void crashRound(long seed, int clusterBytes, Map<String, String> encryption, int states)
            throws Exception {
        Random random = new Random(seed);
        long size = clusterBytes * 90L + 512;
        MemoryFile file = MemoryFile.empty("disk");
        Map<String, String> options = new HashMap<>(encryption);
        options.put("cluster_size", Integer.toString(clusterBytes));
        ImageMachine.create(file, size, options);
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
            CrashStates.forEachState(log, initial, seed, states, inspection::inspect);
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
        Map<String, String> all = new HashMap<>(options);
        all.putIfAbsent("cluster_size", Integer.toString(CLUSTER));
        ImageMachine.create(file, CLUSTER * 40L, all);
        return file;
    }

    private static DirectFormat open(MemoryFile file) throws BlockException {
        return ImageMachine.open(new MemoryProtocol(file));
    }

    private static byte[] filled(int count) {
        byte[] bytes = new byte[count];
        for (int i = 0; i < count; i++) {
            bytes[i] = (byte) (1 + i / 512 % 200);
        }
        return bytes;
    }
}
