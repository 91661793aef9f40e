package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashStates;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.model.DiskHistory;
import dev.ashlar.testkit.protocol.MemoryDriver;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Power cuts while an open image goes from reading and writing to reading, and back: when it is read only all that was written is there, and whoever writes again
 * keeps the rules of order. The first seed by the property {@code ashlar.modes.seed}, rounds by {@code ashlar.modes.rounds}.
 */
class ModeChangeCrashTest {
    private static final int ROUNDS = Integer.getInteger("ashlar.modes.rounds", 3);
    private static final long FIRST_SEED = Long.getLong("ashlar.modes.seed", System.nanoTime() & 0xffff_ffffL);

    /** A disk that is open in a graph, and what a crash may take back of it. */
    private static final class Work {
        private final BlockGraph graph;
        private final BlockBackend disk;
        private final WriteLog log;
        private final DiskHistory history;
        private final Random random;
        private boolean readOnly;

        Work(MemoryFile file, long sizeBytes, WriteLog log, Random random) throws BlockException {
            this.log = log;
            this.random = random;
            history = new DiskHistory(new ByteModel(sizeBytes));
            MemoryDriver memory =
                    new MemoryDriver(MemoryFile::empty, protocol -> new RecordingProtocol(protocol, log)).put(file);
            graph = BlockGraph.create(List.of(memory, new Qcow2Driver()));
            disk = graph.open(
                    file.name(), OpenOptions.readWrite().format("qcow2").unmap(random.nextBoolean()));
            log.mark(history.expectation());
        }

        private void change(Runnable begin, ImageMachine.Step step) throws BlockException {
            begin.run();
            log.note(history.expectation());
            step.run();
            history.completed();
            log.mark(history.expectation());
        }

        void step() throws BlockException {
            if (readOnly || random.nextInt(5) == 0) {
                boolean wanted = !readOnly;
                change(
                        history::beginFlush,
                        () -> graph.transaction()
                                .setReadOnly(disk.root(), wanted)
                                .commit());
                readOnly = wanted;
                return;
            }
            int length = 512 * (1 + random.nextInt(30));
            long at = 512L * random.nextInt((int) (disk.lengthBytes() - length) / 512 + 1);
            switch (random.nextInt(5)) {
                case 0 ->
                    change(
                            () -> history.beginZero(at, length),
                            () -> disk.writeZeroes(at, length, random.nextBoolean()));
                case 1 -> {
                    String name = "s" + random.nextInt(1_000_000);
                    if (history.model().snapshots().size() < 3) {
                        change(
                                () -> history.beginCreateSnapshot(name),
                                () -> disk.snapshots().create(SnapshotRequest.named(name)));
                    }
                }
                default -> {
                    byte[] bytes = new byte[length];
                    random.nextBytes(bytes);
                    change(() -> history.beginWrite(at, bytes), () -> disk.write(at, MemorySegment.ofArray(bytes)));
                }
            }
        }

        void end() throws BlockException {
            change(history::beginFlush, disk::close);
            graph.close();
        }
    }

    @Test
    void whatWasWrittenIsThereWhenTheImageIsReadOnly() throws Exception {
        for (int i = 0; i < ROUNDS; i++) {
            long seed = FIRST_SEED + i;
            try {
                round(seed);
            } catch (Exception | AssertionError e) {
                throw new AssertionError("-Dashlar.modes.seed=" + seed + ": " + e.getMessage(), e);
            }
        }
    }

    private static void round(long seed) throws Exception {
        Random random = new Random(seed);
        int clusterBytes = List.of(512, 4096, 65536).get(random.nextInt(3));
        long size = 40L * Math.min(clusterBytes, 8192) + 512;
        MemoryFile file = MemoryFile.empty("disk");
        ImageMachine.create(file, size, Map.of("cluster_size", Integer.toString(clusterBytes)));
        SparseBytes initial = file.snapshot();
        WriteLog log = new WriteLog();
        Work work = new Work(file, size, log, random);
        for (int i = 0; i < 30; i++) {
            work.step();
        }
        work.end();
        OrderingAuditor.Violation broken = OrderingAuditor.firstViolation(log, initial);
        if (broken != null) {
            throw new AssertionError(broken + "\nlog up to there:\n" + log.tail(broken.position() + 1, 40));
        }
        CrashInspection inspection = new CrashInspection(log, List.of(), seed);
        assertTrue(CrashStates.forEachState(log, initial, seed, 120, inspection::inspect) > 0);
    }
}
