package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashState;
import dev.ashlar.testkit.crash.DiskSetCrashStates;
import dev.ashlar.testkit.crash.DiskSetLog;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.model.DiskExpectation;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Random work on images with an external data file: equal to a model, also after a power cut that hits both files at once. Rounds by the property {@code
 * ashlar.dataFile.rounds}, the first seed by {@code ashlar.dataFile.seed}.
 */
class DataFileModelTest {
    private static final int ROUNDS = Integer.getInteger("ashlar.dataFile.rounds", 12);
    private static final long FIRST_SEED = Long.getLong("ashlar.dataFile.seed", System.nanoTime() & 0xffff_ffffL);
    private static final int STATES = 120;
    private static final int OPERATIONS = 20;
    private static final Qcow2Driver DRIVER = new Qcow2Driver();

    private record Shape(int clusterBytes, boolean extendedL2, boolean raw, boolean encrypted, long sizeBytes) {}

    private static final List<Shape> SHAPES = List.of(
            new Shape(512, false, false, false, 40 * 512),
            new Shape(512, false, true, false, 70 * 512),
            new Shape(4096, false, true, false, 30 * 4096 + 512),
            new Shape(4096, false, false, false, 30 * 4096 + 512),
            new Shape(16384, true, false, false, 8 * 16384 + 1024),
            new Shape(16384, true, true, false, 8 * 16384 + 1024),
            new Shape(4096, false, false, true, 30 * 4096 + 512),
            new Shape(4096, false, true, true, 30 * 4096 + 512),
            new Shape(16384, true, false, true, 8 * 16384 + 1024));

    @Test
    void equalsItsModel() throws Exception {
        forEachRound((shape, seed) -> {
            MemoryFile file = MemoryFile.mappable("disk");
            MemoryFile data = MemoryFile.empty("data");
            create(shape, file, data);
            run(shape, new Random(seed), file, data, null);
            if (shape.raw() && !shape.encrypted()) {
                requireRaw(file, data);
            }
        });
    }

    @Test
    void holdsWhatWasFlushedWhenBothFilesLosePower() throws Exception {
        forEachRound((shape, seed) -> {
            MemoryFile file = MemoryFile.empty("disk");
            MemoryFile data = MemoryFile.empty("data");
            create(shape, file, data);
            Map<String, SparseBytes> initial = Map.of("disk", file.snapshot(), "data", data.snapshot());
            DiskSetLog log = new DiskSetLog();
            log.of("disk");
            log.of("data");
            List<Operation> operations = run(shape, new Random(seed), file, data, log);
            // a key takes its time to derive, for each opening anew
            int states = shape.encrypted() ? STATES / 4 : STATES;
            long visited = DiskSetCrashStates.forEachState(log, initial, seed, states, (position, disks) -> {
                try {
                    inspect(disks);
                } catch (Exception | AssertionError e) {
                    throw new AssertionError(e.getMessage() + "\nin " + disks + "\noperations " + operations, e);
                }
            });
            assertTrue(visited > 0);
        });
    }

    private interface Round {
        void run(Shape shape, long seed) throws Exception;
    }

    private static void forEachRound(Round round) throws Exception {
        for (int i = 0; i < ROUNDS; i++) {
            Shape shape = SHAPES.get(i % SHAPES.size());
            long seed = FIRST_SEED + i;
            try {
                round.run(shape, seed);
            } catch (Exception | AssertionError e) {
                throw new AssertionError(shape + ", -Dashlar.dataFile.seed=" + seed + ": " + e.getMessage(), e);
            }
        }
    }

    private static void create(Shape shape, MemoryFile file, MemoryFile data) throws BlockException {
        MemoryProtocol protocol = new MemoryProtocol(file);
        MemoryProtocol dataProtocol = new MemoryProtocol(data);
        Map<String, String> options = new HashMap<>(shape.encrypted() ? ImageMachine.ENCRYPTION : Map.of());
        options.put("size", Long.toString(shape.sizeBytes()));
        options.put("cluster_size", Integer.toString(shape.clusterBytes()));
        options.put("extended_l2", shape.extendedL2() ? "on" : "off");
        options.put("data_file", "data");
        options.put("data_file_raw", shape.raw() ? "on" : "off");
        DirectFormat.create(DRIVER, protocol, dataProtocol, options);
        protocol.close();
        dataProtocol.close();
    }

    /** @param log of both files, or null to record nothing */
    private static List<Operation> run(
            Shape shape,
            Random random,
            MemoryFile file,
            MemoryFile data,
            @org.jspecify.annotations.Nullable DiskSetLog log)
            throws BlockException {
        boolean unmap = random.nextBoolean();
        ImageMachine machine = new ImageMachine(
                () -> {
                    MemoryProtocol protocol = new MemoryProtocol(file);
                    MemoryProtocol dataProtocol = new MemoryProtocol(data);
                    Flag[] flags = unmap ? new Flag[] {Flag.UNMAP} : new Flag[0];
                    return log == null
                            ? DirectFormat.open(
                                    DRIVER, protocol, dataProtocol, new SparseBytes(), ImageMachine.OPEN_OPTIONS, flags)
                            : DirectFormat.open(
                                    DRIVER,
                                    new RecordingProtocol(protocol, log.of("disk")),
                                    new RecordingProtocol(dataProtocol, log.of("data")),
                                    new SparseBytes(),
                                    ImageMachine.OPEN_OPTIONS,
                                    flags);
                },
                log == null ? new WriteLog() : log.of("disk"),
                new ByteModel(shape.sizeBytes()),
                3 * shape.sizeBytes(),
                "s");
        List<Operation> operations = new ArrayList<>();
        while (operations.size() < OPERATIONS) {
            Operation operation = Operation.random(random);
            switch (operation.kind()) {
                case SNAPSHOT_CREATE, SNAPSHOT_APPLY, SNAPSHOT_DELETE, WRITE_COMPRESSED -> {}
                default -> {
                    operations.add(operation);
                    machine.run(operation);
                }
            }
        }
        machine.requireEqual();
        machine.reopen();
        machine.requireEqual();
        machine.requireClean();
        machine.close();
        return operations;
    }

    private static void inspect(Map<String, CrashState> disks) throws Exception {
        CrashState state = disks.get("disk");
        DiskExpectation expectation = state.lastMark(DiskExpectation.class);
        if (expectation == null) {
            return;
        }
        MemoryFile file = MemoryFile.of("disk", state.image().fork());
        MemoryFile data = MemoryFile.of("data", disks.get("data").image().fork());
        try (DirectFormat image = open(file, data, Flag.READ_ONLY, Flag.CHECK)) {
            CrashInspection.requireLeaksAtWorst(image.check(Repair.NONE));
            assertEquals("", expectation.mismatch(ImageMachine.found(image)));
        }
        try (DirectFormat image = open(file, data, Flag.CHECK)) {
            image.check(Repair.LEAKS);
            assertEquals(0, image.check(Repair.NONE).leaks());
            assertEquals("", expectation.mismatch(ImageMachine.found(image)));
        }
    }

    private static DirectFormat open(MemoryFile file, MemoryFile data, Flag... flags) throws BlockException {
        return DirectFormat.open(
                DRIVER,
                new MemoryProtocol(file),
                new MemoryProtocol(data),
                new SparseBytes(),
                ImageMachine.OPEN_OPTIONS,
                flags);
    }

    /** The data file alone reads as the disk. */
    private static void requireRaw(MemoryFile file, MemoryFile data) throws BlockException {
        try (DirectFormat image = open(file, data, Flag.READ_ONLY)) {
            assertEquals(image.lengthBytes(), data.lengthBytes());
            DiskExpectation expectation =
                    new DiskExpectation(List.of(new DiskExpectation.World(List.of(image.content()), Map.of())));
            assertEquals("", expectation.mismatch(new DiskExpectation.Found(data.snapshot(), Map.of())));
        }
    }
}
