package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.snapshot.SnapshotGroup;
import dev.ashlar.drivers.qcow2.GroupScenario.State;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.FaultProtocol;
import dev.ashlar.testkit.protocol.FaultProtocol.Damage;
import dev.ashlar.testkit.protocol.FaultProtocol.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * S1, S2: an operation on a group of three disks, with and without the state of a machine, in which the n-th call of one disk fails: reads, writes and flushes,
 * for every n, every disk, once or for ever, whole or torn, as an error of the medium or for want of space. Disks that did not fail are back at once; when the
 * images have been opened again and the group was checked, all disks are as before or all are as wanted, and none is corrupt.
 */
@Timeout(300)
class GroupFaultTest {
    /** How the n-th call fails. */
    private enum Fault {
        /** A write or a flush, once, torn. */
        MEDIUM_ONCE(Kind.IO, Duration.ONCE, Damage.TORN),
        MEDIUM_FOR_EVER(Kind.IO, Duration.FOR_EVER, Damage.TORN),
        SPACE_ONCE(Kind.NO_SPACE, Duration.ONCE, Damage.NONE),
        SPACE_FOR_EVER(Kind.NO_SPACE, Duration.FOR_EVER, Damage.NONE),
        /** A call of any kind, reads among them. */
        ANY_ONCE(Kind.IO, Duration.ONCE, Damage.NONE),
        ANY_FOR_EVER(Kind.IO, Duration.FOR_EVER, Damage.NONE);

        private final Kind kind;
        private final Duration duration;
        private final Damage damage;

        Fault(Kind kind, Duration duration, Damage damage) {
            this.kind = kind;
            this.duration = duration;
            this.damage = damage;
        }

        void arm(FaultProtocol protocol, int n) {
            if (this == ANY_ONCE || this == ANY_FOR_EVER) {
                protocol.failCall(n, kind, duration, damage);
            } else {
                protocol.failChange(n, kind, duration, damage);
            }
        }
    }

    @Test
    void create() throws Exception {
        everyFault(GroupScenario.Operation.CREATE);
    }

    @Test
    void apply() throws Exception {
        everyFault(GroupScenario.Operation.APPLY);
    }

    @Test
    void delete() throws Exception {
        everyFault(GroupScenario.Operation.DELETE);
    }

    private static void everyFault(GroupScenario.Operation operation) throws Exception {
        for (boolean vmState : new boolean[] {false, true}) {
            GroupScenario scenario = new GroupScenario(operation, vmState);
            Map<String, SparseBytes> contents = scenario.prepared();
            for (String victim : GroupScenario.NAMES) {
                for (Fault fault : Fault.values()) {
                    int n = 1;
                    while (new Run(scenario, contents, victim, fault).failsAt(n)) {
                        n++;
                    }
                    assertTrue(n > 5, "only " + n + " calls");
                }
            }
        }
    }

    private record Run(GroupScenario scenario, Map<String, SparseBytes> contents, String victim, Fault fault) {
        /** @return whether there was an n-th call */
        boolean failsAt(int n) throws Exception {
            try {
                return run(n);
            } catch (Exception | AssertionError e) {
                throw new AssertionError(
                        scenario + " with call " + n + " of '" + victim + "' failing, " + fault + ": " + e.getMessage(),
                        e);
            }
        }

        private boolean run(int n) throws Exception {
            Disks disks = GroupScenario.open(new Disks(), contents);
            fault.arm(disks.faults.get(victim), n);
            BlockException failure = null;
            try {
                scenario.run(disks);
            } catch (BlockException e) {
                failure = e;
            }
            boolean struck = disks.faults.get(victim).struckCount() > 0;
            if (failure != null) {
                assertTrue(struck, "failed without a fault: " + failure.getMessage());
                othersAreAlike(disks, failure);
            }
            disks.restart();
            for (String name : GroupScenario.NAMES) {
                disks.open(name);
            }
            SnapshotGroup group = SnapshotGroup.of(disks.graph);
            group.repair(scenario.snapshot());
            assertEquals(List.of(), group.check(scenario.snapshot()));
            scenario.requireAlike(disks, failure == null);
            return struck;
        }

        /** The disks without a fault are usable and agree, right after the failure. */
        private void othersAreAlike(Disks disks, BlockException failure) throws BlockException {
            List<State> found = new ArrayList<>();
            List<State> before = new ArrayList<>();
            List<State> wanted = new ArrayList<>();
            for (String name : GroupScenario.NAMES) {
                if (!name.equals(victim)) {
                    State now = GroupScenario.look(disks, name);
                    // A state from before is kept, by name, only where the failed disk can't be settled yet.
                    List<String> visible = new ArrayList<>(now.snapshots());
                    visible.removeIf(snapshot -> snapshot.startsWith("ashlar:before:"));
                    found.add(new State(now.value(), visible));
                    before.add(scenario.before(name));
                    wanted.add(scenario.wanted(name));
                }
            }
            assertTrue(found.equals(before) || found.equals(wanted), () -> found + ": " + failure.getMessage());
        }
    }
}
