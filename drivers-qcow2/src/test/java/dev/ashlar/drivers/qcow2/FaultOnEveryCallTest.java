package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashStates;
import dev.ashlar.testkit.crash.WriteLog;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.model.DiskExpectation;
import dev.ashlar.testkit.protocol.FaultProtocol;
import dev.ashlar.testkit.protocol.FaultProtocol.Damage;
import dev.ashlar.testkit.protocol.FaultProtocol.Duration;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/**
 * Random work in which the n-th write or flush fails, for every n: the error is reported, nothing that had been promised is lost, whether the power fails then
 * or not, and after a failed flush nothing is promised any more until the image has been opened again. First seed by the property {@code ashlar.fault.seed}, rounds by {@code
 * ashlar.fault.rounds}.
 */
class FaultOnEveryCallTest {
    private static final int ROUNDS = Integer.getInteger("ashlar.fault.rounds", 2);
    private static final long FIRST_SEED = Long.getLong("ashlar.fault.seed", System.nanoTime() & 0xffff_ffffL);
    private static final int OPERATIONS = 14;
    private static final int STATES_EACH = 5;

    @Test
    void smallClusters() throws Exception {
        rounds(512, 16, 120);
    }

    @Test
    void manyRefcountBlocks() throws Exception {
        rounds(512, 64, 300);
    }

    @Test
    void pageClusters() throws Exception {
        rounds(4096, 16, 60);
    }

    @Test
    void subClusters() throws Exception {
        rounds(16384, 16, 20, true);
    }

    private static void rounds(int clusterBytes, int refcountBits, int clusters) throws Exception {
        rounds(clusterBytes, refcountBits, clusters, false);
    }

    private static void rounds(int clusterBytes, int refcountBits, int clusters, boolean extendedL2) throws Exception {
        for (int round = 0; round < ROUNDS; round++) {
            long seed = FIRST_SEED + round;
            SparseBytes initial = initial(clusterBytes, refcountBits, clusters, extendedL2);
            long n = 1;
            while (new Run(initial, (long) clusters * clusterBytes, seed).failsAt(n)) {
                n++;
            }
            assertTrue(n > OPERATIONS, "only " + n + " calls");
        }
    }

    private static SparseBytes initial(int clusterBytes, int refcountBits, int clusters, boolean extendedL2)
            throws BlockException {
        MemoryFile file = MemoryFile.empty("disk");
        ImageMachine.create(
                file,
                (long) clusters * clusterBytes,
                Map.of(
                        "cluster_size",
                        Integer.toString(clusterBytes),
                        "refcount_bits",
                        Integer.toString(refcountBits),
                        "extended_l2",
                        extendedL2 ? "on" : "off"));
        return file.snapshot();
    }

    /** One run from the start to a fault. */
    private static final class Run {
        private final SparseBytes initial;
        private final long sizeBytes;
        private final long seed;
        private final WriteLog log = new WriteLog();
        private final List<Operation> operations = new ArrayList<>();
        private final AtomicReference<FaultProtocol.Operation> struck = new AtomicReference<>();
        private FaultProtocol faults;

        Run(SparseBytes initial, long sizeBytes, long seed) {
            this.initial = initial;
            this.sizeBytes = sizeBytes;
            this.seed = seed;
        }

        /** @return whether there is an n-th call */
        boolean failsAt(long n) throws Exception {
            try {
                return run(n);
            } catch (Exception | AssertionError e) {
                throw new AssertionError(
                        "call " + n + " (" + struck + "), -Dashlar.fault.seed=" + seed + ": " + e.getMessage()
                                + "\noperations " + operations,
                        e);
            }
        }

        private boolean run(long n) throws Exception {
            Random random = new Random(seed);
            MemoryFile file = MemoryFile.of("disk", initial.fork());
            ImageMachine machine = new ImageMachine(
                    file,
                    protocol -> {
                        // one count of calls goes through all reopenings
                        long before = faults == null ? 0 : faults.changeCount();
                        faults = new FaultProtocol(protocol);
                        arm(n - before);
                        return new RecordingProtocol(faults, log);
                    },
                    log,
                    new ByteModel(sizeBytes),
                    2 * sizeBytes,
                    true);
            long callsOfEarlier = 0;
            for (int i = 0; i < OPERATIONS; i++) {
                Operation operation = Operation.random(random);
                if (operation.kind() == Operation.Kind.REOPEN) {
                    // the count of calls would start again
                    operation = new Operation(Operation.Kind.FLUSH, 0, 0);
                }
                operations.add(operation);
                ByteModel before = machine.model().fork();
                int position = log.size();
                try {
                    machine.run(operation);
                } catch (BlockException e) {
                    assertEquals(1, faults.struckCount() - callsOfEarlier, () -> "failed without a fault: " + e);
                    afterFault(machine, file, before, position, operation);
                    return true;
                }
                if (struck.get() != null) {
                    // a call whose failure does no harm, such as a discard
                    callsOfEarlier = faults.struckCount();
                }
            }
            int position = log.size();
            ByteModel before = machine.model().fork();
            try {
                machine.close();
            } catch (BlockException e) {
                inspect(machine, file, before, position);
                return true;
            }
            return struck.get() != null;
        }

        private void arm(long n) {
            Kind kind = seed % 2 == n % 2 ? Kind.IO : Kind.NO_SPACE;
            Damage damage = n % 3 == 0 ? Damage.TORN : Damage.NONE;
            faults.failWhen(
                    call -> {
                        boolean strikes =
                                call.changeNumber() == n && FaultProtocol.Operation.CHANGES.contains(call.operation());
                        if (strikes) {
                            struck.set(call.operation());
                        }
                        return strikes;
                    },
                    kind,
                    Duration.ONCE,
                    damage);
        }

        private void afterFault(
                ImageMachine machine, MemoryFile file, ByteModel before, int position, Operation operation)
                throws Exception {
            if (struck.get() == FaultProtocol.Operation.FLUSH) {
                assertThrows(BlockException.class, machine.image()::flush, "flush after a failed flush");
                assertThrows(
                        BlockException.class,
                        () -> machine.image().write(0, new byte[512]),
                        "write after a failed flush");
            } else if (flushes(machine) && operation.kind() != Operation.Kind.CROSSED_WRITES) {
                // the image is well, so all but the failed operation is certain now
                log.mark(inDoubt(before, machine.model()));
            }
            try {
                machine.close();
            } catch (BlockException e) {
                // the image says again that it is unusable, or the disk is still broken
                assertTrue(faults.struckCount() > 0);
            }
            inspect(machine, file, before, position);
        }

        /** What is left when power fails now, and what is left when it does not. */
        private void inspect(ImageMachine machine, MemoryFile file, ByteModel before, int position) throws Exception {
            OrderingAuditor.Violation broken = OrderingAuditor.firstViolation(log, initial);
            if (broken != null) {
                throw new AssertionError(broken + "\nlog up to there:\n" + log.tail(broken.position() + 1, 40));
            }
            CrashInspection inspection = new CrashInspection(log, operations, seed);
            CrashStates.forEachStateFrom(position, log, initial, seed, STATES_EACH, inspection::inspect);
            DiskExpectation last = inDoubtOrLast(machine, before);
            CrashInspection.inspect(file.snapshot(), last, seed);
        }

        private static boolean flushes(ImageMachine machine) {
            try {
                machine.image().flush();
                return true;
            } catch (BlockException e) {
                return false;
            }
        }

        private DiskExpectation inDoubtOrLast(ImageMachine machine, ByteModel before) {
            List<DiskExpectation.World> worlds =
                    new ArrayList<>(machine.history().expectation().worlds());
            worlds.addAll(inDoubt(before, machine.model()).worlds());
            return new DiskExpectation(worlds);
        }

        private static DiskExpectation inDoubt(ByteModel before, ByteModel after) {
            List<SparseBytes> versions = before.lengthBytes() == after.lengthBytes()
                    ? List.of(before.disk().fork(), after.disk().fork())
                    : List.of(before.disk().fork());
            return new DiskExpectation(
                    List.of(new DiskExpectation.World(versions, before.snapshots()), DiskExpectation.World.of(after)));
        }
    }
}
