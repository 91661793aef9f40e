package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.snapshot.GroupFinding;
import dev.ashlar.core.snapshot.SnapshotGroup;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashState;
import dev.ashlar.testkit.crash.DiskSetCrashStates;
import dev.ashlar.testkit.crash.DiskSetLog;
import dev.ashlar.testkit.protocol.DirectFormat;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * S1 to S6: power fails at any point of an operation on three disks, each of which keeps a part of its own of what was not flushed. When
 * they have been opened again and the group was checked and repaired, all are as before or all are as wanted; and so it is when power
 * fails once more, during the repair. States of each operation by the property {@code ashlar.crash.states}, the seed by {@code
 * ashlar.crash.seed}.
 */
@Timeout(600)
class GroupCrashTest {
    private static final long SEED = Long.getLong("ashlar.crash.seed", System.nanoTime() & 0xffff_ffffL);
    private static final int STATES = Integer.getInteger("ashlar.crash.states", 300);
    /** States of a repair that is cut short. */
    private static final int REPAIR_STATES = 6;

    private static final Qcow2Driver DRIVER = new Qcow2Driver();

    private final Set<GroupFinding.Kind> seen = EnumSet.noneOf(GroupFinding.Kind.class);

    @Test
    void create() throws Exception {
        everyState(GroupScenario.Operation.CREATE);
        assertEquals(EnumSet.of(GroupFinding.Kind.INCOMPLETE), seen);
    }

    @Test
    void apply() throws Exception {
        everyState(GroupScenario.Operation.APPLY);
        assertEquals(EnumSet.of(GroupFinding.Kind.APPLY_INTERRUPTED, GroupFinding.Kind.APPLY_LEFTOVER), seen);
    }

    @Test
    void delete() throws Exception {
        everyState(GroupScenario.Operation.DELETE);
        assertEquals(EnumSet.of(GroupFinding.Kind.DELETE_INTERRUPTED, GroupFinding.Kind.DELETE_LEFTOVER), seen);
    }

    private void everyState(GroupScenario.Operation operation) throws Exception {
        for (boolean vmState : new boolean[] {false, true}) {
            GroupScenario scenario = new GroupScenario(operation, vmState);
            Map<String, SparseBytes> initial = scenario.prepared();
            DiskSetLog log = new DiskSetLog();
            Disks disks = new Disks(recording(log));
            GroupScenario.open(disks, initial);
            scenario.run(disks);
            int acknowledged = log.size();
            disks.close();
            long count = DiskSetCrashStates.forEachState(
                    log,
                    initial,
                    SEED,
                    STATES,
                    (position, states) -> inspect(scenario, position, states, position >= acknowledged));
            assertTrue(count >= STATES / 2, () -> "only " + count + " states");
        }
    }

    private static UnaryOperator<dev.ashlar.core.spi.ProtocolInstance> recording(DiskSetLog log) {
        return protocol -> new RecordingProtocol(protocol, log.of(protocol.fileName()));
    }

    private void inspect(GroupScenario scenario, int position, Map<String, CrashState> states, boolean done)
            throws Exception {
        Map<String, SparseBytes> images = new HashMap<>();
        states.forEach((name, state) -> images.put(name, state.image()));
        try {
            for (SparseBytes image : images.values()) {
                requireLeaksAtWorst(image);
            }
            DiskSetLog log = new DiskSetLog();
            Disks disks = GroupScenario.open(new Disks(recording(log)), images);
            repair(disks, scenario);
            scenario.requireAlike(disks, done);
            if (new Random(SEED + position).nextInt(4) == 0) {
                repairCutShort(scenario, images, done);
            }
        } catch (Exception | AssertionError e) {
            List<String> lines = new ArrayList<>();
            states.forEach((name, state) -> lines.add(name + ": " + state));
            throw new AssertionError(
                    scenario + ", -Dashlar.crash.seed=" + SEED + ": " + e.getMessage() + "\nafter event " + position
                            + " of all\n" + String.join("\n", lines),
                    e);
        }
    }

    /** Power fails again while the group is being repaired. */
    private void repairCutShort(GroupScenario scenario, Map<String, SparseBytes> images, boolean done)
            throws Exception {
        DiskSetLog log = new DiskSetLog();
        Disks disks = GroupScenario.open(new Disks(recording(log)), images);
        repair(disks, scenario);
        disks.close();
        DiskSetCrashStates.forEachState(log, images, SEED, REPAIR_STATES, (position, states) -> {
            Map<String, SparseBytes> again = new HashMap<>();
            states.forEach((name, state) -> again.put(name, state.image()));
            Disks third = GroupScenario.open(new Disks(), again);
            repair(third, scenario);
            scenario.requireAlike(third, done);
        });
    }

    /** Checks, repairs, checks; while there are traces nothing else is allowed (S6). */
    private void repair(Disks disks, GroupScenario scenario) throws BlockException {
        SnapshotGroup group = SnapshotGroup.of(disks.graph);
        if (!group.traces().isEmpty()) {
            BlockException e = assertThrows(BlockException.class, () -> scenario.run(disks));
            assertEquals(Kind.BUSY, e.kind(), e.getMessage());
        }
        List<GroupFinding> found = group.check(scenario.snapshot());
        List<GroupFinding> settled = group.repair(scenario.snapshot());
        assertTrue(settled.containsAll(found), () -> found + " but settled " + settled);
        settled.forEach(finding -> seen.add(finding.kind()));
        assertEquals(List.of(), group.check(scenario.snapshot()));
    }

    private static void requireLeaksAtWorst(SparseBytes image) throws BlockException {
        MemoryFile file = MemoryFile.of("crashed", image.fork());
        try (DirectFormat format = DirectFormat.open(DRIVER, new MemoryProtocol(file), Flag.READ_ONLY, Flag.CHECK)) {
            CrashInspection.requireLeaksAtWorst(format.check(Repair.NONE));
        }
    }
}
