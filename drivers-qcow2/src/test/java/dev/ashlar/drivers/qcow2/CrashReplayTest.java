package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashState;
import dev.ashlar.testkit.crash.CrashStates;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.model.DiskExpectation;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/**
 * A power cut at any point of random work costs at worst leaked clusters: every state that the disk may be in is opened, compared, repaired and used. Rounds by the property {@code
 * ashlar.crash.rounds}, the first seed by {@code ashlar.crash.seed}, states of each round by {@code ashlar.crash.states}.
 */
class CrashReplayTest {
    private static final int ROUNDS = Integer.getInteger("ashlar.crash.rounds", 2);
    private static final long FIRST_SEED = Long.getLong("ashlar.crash.seed", System.nanoTime() & 0xffff_ffffL);
    private static final int STATES = Integer.getInteger("ashlar.crash.states", 200);

    private static final int QEMU_STATES = Integer.getInteger("ashlar.crash.qemuStates", 25);

    private record Shape(
            int clusterBytes,
            int refcountBits,
            int clusters,
            long fillHostBytes,
            int operations,
            boolean extendedL2,
            boolean encrypted) {
        Shape(int clusterBytes, int refcountBits, int clusters, long fillHostBytes, int operations) {
            this(clusterBytes, refcountBits, clusters, fillHostBytes, operations, false, false);
        }
    }

    @Test
    void smallClusters() throws Exception {
        rounds(new Shape(512, 16, 160, 0, 14));
    }

    @Test
    void firstLevelTableGrows() throws Exception {
        // 64 entries of 32 KiB each fill the first cluster of the L1 table
        rounds(new Shape(512, 16, 4080, 0, 14));
    }

    @Test
    void refcountBlocksAreAdded() throws Exception {
        // a block counts 64 clusters only
        rounds(new Shape(512, 64, 400, 3 * (32 << 10) - (4 << 10), 16));
    }

    @Test
    void refcountTableGrows() throws Exception {
        // 64 blocks that count 64 clusters of 512 bytes each fill the first cluster of the refcount table
        rounds(new Shape(512, 64, 4090, (2 << 20) - (12 << 10), 16));
    }

    @Test
    void pageClusters() throws Exception {
        rounds(new Shape(4096, 16, 100, 0, 12));
    }

    @Test
    void subClusters() throws Exception {
        rounds(new Shape(16384, 16, 30, 0, 14, true, false));
    }

    @Test
    void encryptedClusters() throws Exception {
        rounds(new Shape(4096, 16, 60, 0, 12, false, true));
    }

    @Test
    @RequiresQemu
    void realToolsHealASampleOfTheStates(@ScratchDir Path directory) throws Exception {
        for (Shape shape : List.of(
                new Shape(512, 16, 160, 0, 14),
                new Shape(65536, 16, 24, 0, 14),
                new Shape(16384, 16, 30, 0, 14, true, false))) {
            try {
                Recording recording = record(shape, FIRST_SEED);
                CrashStates.forEachState(
                        recording.log(),
                        recording.initial(),
                        FIRST_SEED,
                        QEMU_STATES,
                        state -> inspectWithQemu(state, directory.resolve("crashed.qcow2")));
            } catch (Exception | AssertionError e) {
                throw new AssertionError(shape + ", -Dashlar.crash.seed=" + FIRST_SEED + ": " + e.getMessage(), e);
            }
        }
    }

    private static void inspectWithQemu(CrashState state, Path file) throws Exception {
        DiskExpectation expectation = state.lastMark(DiskExpectation.class);
        if (expectation == null) {
            return;
        }
        state.image().writeTo(file);
        // before any repair: the tool reads what was promised
        requireExpected(file, expectation, state);
        QemuTools.requireHealedByLeakRepair(file);
        requireExpected(file, expectation, state);
    }

    private static void requireExpected(Path file, DiskExpectation expectation, CrashState state) {
        Map<String, SparseBytes> snapshots = new LinkedHashMap<>();
        for (String name : QemuTools.snapshotNames(file)) {
            snapshots.put(name, QemuTools.content(file, name, file.getParent()));
        }
        String mismatch = expectation.mismatch(
                new DiskExpectation.Found(QemuTools.content(file, file.getParent()), snapshots, false));
        if (!mismatch.isEmpty()) {
            throw new AssertionError(mismatch + "\nin " + state);
        }
    }

    private static void rounds(Shape shape) throws Exception {
        for (int i = 0; i < ROUNDS; i++) {
            long seed = FIRST_SEED + i;
            try {
                round(shape, seed);
            } catch (Exception | AssertionError e) {
                throw new AssertionError(shape + ", -Dashlar.crash.seed=" + seed + ": " + e.getMessage(), e);
            }
        }
    }

    private static void round(Shape shape, long seed) throws Exception {
        Recording recording = record(shape, seed);
        CrashInspection inspection = new CrashInspection(recording.log(), recording.operations(), seed);
        long visited = CrashStates.forEachState(
                // a key takes its time to derive, for each opening anew
                recording.log(),
                recording.initial(),
                seed,
                shape.encrypted() ? STATES / 10 : STATES,
                inspection::inspect);
        assertTrue(visited > 0);
    }

    private record Recording(SparseBytes initial, WriteLog log, List<Operation> operations) {}

    private static Map<String, String> options(Shape shape) {
        Map<String, String> options = new LinkedHashMap<>();
        options.put("cluster_size", Integer.toString(shape.clusterBytes()));
        options.put("refcount_bits", Integer.toString(shape.refcountBits()));
        options.put("extended_l2", shape.extendedL2() ? "on" : "off");
        if (shape.encrypted()) {
            options.putAll(ImageMachine.ENCRYPTION);
        }
        return options;
    }

    /** Random work; at its end the image is closed, equal to its model and without leaks. */
    private static Recording record(Shape shape, long seed) throws Exception {
        Random random = new Random(seed);
        MemoryFile file = MemoryFile.empty("disk");
        long size = (long) shape.clusters() * shape.clusterBytes() - 512;
        ImageMachine.create(file, size, options(shape));
        ByteModel model = prepare(file, size, shape, random);
        SparseBytes initial = file.snapshot();
        WriteLog log = new WriteLog();
        ImageMachine machine = new ImageMachine(
                file,
                protocol -> new RecordingProtocol(protocol, log),
                log,
                model,
                size * 2,
                random.nextBoolean(),
                "t");
        List<Operation> operations = new ArrayList<>();
        for (int i = 0; i < shape.operations(); i++) {
            Operation operation = Operation.random(random);
            operations.add(operation);
            machine.run(operation);
        }
        machine.requireEqual();
        machine.reopen();
        machine.requireEqual();
        machine.requireClean();
        machine.close();
        OrderingAuditor.Violation broken = OrderingAuditor.firstViolation(log, initial);
        if (broken != null) {
            throw new AssertionError(broken + "\nlog up to there:\n" + log.tail(broken.position() + 1, 40));
        }
        return new Recording(initial, log, operations);
    }

    /** Work that is not recorded, so that there is something to lose; at the end everything is closed. */
    private static ByteModel prepare(MemoryFile file, long size, Shape shape, Random random) throws Exception {
        ImageMachine machine =
                new ImageMachine(file, UnaryOperator.identity(), new WriteLog(), new ByteModel(size), size, false);
        int steps = random.nextInt(20);
        for (int i = 0; i < steps; i++) {
            Operation operation = Operation.random(random);
            // a disk that has shrunk could not fill the file
            if (shape.fillHostBytes() == 0 || operation.kind() != Operation.Kind.SHRINK) {
                machine.run(operation);
            }
        }
        while (file.lengthBytes() < shape.fillHostBytes()) {
            machine.run(new Operation(Operation.Kind.WRITE_CLUSTERS, random.nextInt(Operation.PLACES), 4));
            machine.flush();
        }
        ByteModel model = machine.model().fork();
        machine.close();
        return model;
    }
}
