package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.snapshot.SnapshotGroup;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.FaultProtocol.Damage;
import dev.ashlar.testkit.protocol.FaultProtocol.Duration;
import dev.ashlar.testkit.protocol.MemoryFile;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * S1, S2: an operation on a group of three disks in which the n-th write or flush of one disk fails, for every n, every disk, once or for ever, whole or torn, as
 * an error of the medium or for want of space. Disks that did not fail are back at once; when the images have been opened again and the group was checked, all
 * disks are as before or all are as wanted, and none is corrupt.
 */
@Timeout(300)
class GroupFaultTest {
    private static final List<String> NAMES = List.of("a", "b", "c");

    private enum Operation {
        CREATE,
        APPLY,
        DELETE;

        void run(SnapshotGroup group) throws BlockException {
            switch (this) {
                case CREATE -> group.create(Disks.request("", "new", 0), null);
                case APPLY -> group.apply("old");
                case DELETE -> group.delete("old");
            }
        }
    }

    /** What a user sees of a disk. */
    private record State(int value, List<String> snapshots) {}

    private static final State BEFORE = new State(2, List.of("other", "old"));

    private static State wanted(Operation operation) {
        return switch (operation) {
            case CREATE -> new State(2, List.of("other", "old", "new"));
            case APPLY -> new State(1, List.of("other", "old"));
            case DELETE -> new State(2, List.of("other"));
        };
    }

    @Test
    void create() throws Exception {
        everyFault(Operation.CREATE);
    }

    @Test
    void apply() throws Exception {
        everyFault(Operation.APPLY);
    }

    @Test
    void delete() throws Exception {
        everyFault(Operation.DELETE);
    }

    private static Map<String, SparseBytes> prepared() throws BlockException {
        Map<String, SparseBytes> contents = new HashMap<>();
        try (Disks disks = new Disks()) {
            for (String name : NAMES) {
                disks.create(name);
                try (BlockBackend backend = disks.open(name)) {
                    Disks.fill(backend, 7);
                    Disks.create(backend.snapshots(), "other");
                    Disks.fill(backend, 1);
                    Disks.create(backend.snapshots(), "old");
                    Disks.fill(backend, 2);
                }
                contents.put(name, disks.memory.file(name).snapshot());
            }
        }
        return contents;
    }

    private static void everyFault(Operation operation) throws Exception {
        Map<String, SparseBytes> contents = prepared();
        for (String victim : NAMES) {
            for (Duration duration : Duration.values()) {
                for (Kind kind : List.of(Kind.IO, Kind.NO_SPACE)) {
                    Damage damage = kind == Kind.IO ? Damage.TORN : Damage.NONE;
                    int n = 1;
                    while (new Run(operation, contents, victim).failsAt(n, kind, duration, damage)) {
                        n++;
                    }
                    assertTrue(n > 5, "only " + n + " calls");
                }
            }
        }
    }

    private record Run(Operation operation, Map<String, SparseBytes> contents, String victim) {
        /** @return whether there was an n-th call */
        boolean failsAt(int n, Kind kind, Duration duration, Damage damage) throws Exception {
            try {
                return run(n, kind, duration, damage);
            } catch (Exception | AssertionError e) {
                throw new AssertionError(
                        operation + " with call " + n + " of '" + victim + "' failing, " + kind + " " + duration + ": "
                                + e.getMessage(),
                        e);
            }
        }

        private boolean run(int n, Kind kind, Duration duration, Damage damage) throws Exception {
            Disks disks = new Disks();
            for (String name : NAMES) {
                disks.memory.put(MemoryFile.of(name, contents.get(name).fork()));
                disks.open(name);
            }
            disks.faults.get(victim).failChange(n, kind, duration, damage);
            BlockException failure = null;
            try {
                operation.run(SnapshotGroup.of(disks.graph));
            } catch (BlockException e) {
                failure = e;
            }
            boolean struck = disks.faults.get(victim).struckCount() > 0;
            if (failure != null) {
                assertTrue(struck, "failed without a fault: " + failure.getMessage());
                othersAreAlike(disks, failure);
            }
            disks.restart();
            SnapshotGroup group = reopened(disks);
            String name = operation == Operation.CREATE ? "new" : "old";
            group.repair(name);
            assertEquals(List.of(), group.check(name));
            List<State> states = new ArrayList<>();
            for (String disk : NAMES) {
                states.add(state(disks, disk));
            }
            State expected = failure == null ? wanted(operation) : states.get(0);
            assertTrue(expected.equals(BEFORE) || expected.equals(wanted(operation)), states::toString);
            assertEquals(List.of(expected, expected, expected), states);
            disks.restart();
            for (String disk : NAMES) {
                try (BlockBackend backend = disks.open(disk)) {
                    Disks.requireSound(backend, true);
                }
            }
            disks.close();
            return struck;
        }

        /** The disks without a fault are usable and agree, right after the failure. */
        private void othersAreAlike(Disks disks, BlockException failure) throws BlockException {
            State first = null;
            for (String name : NAMES) {
                if (name.equals(victim)) {
                    continue;
                }
                State now = liveState(disks, name);
                // A state from before is kept, by name, only where the failed disk can't be settled yet.
                List<String> visible = new ArrayList<>(now.snapshots());
                visible.removeIf(snapshot -> snapshot.startsWith("ashlar:before:"));
                now = new State(now.value(), visible);
                first = first == null ? now : first;
                assertEquals(first, now, failure.getMessage());
                assertTrue(now.equals(BEFORE) || now.equals(wanted(operation)), now + ": " + failure.getMessage());
            }
        }
    }

    private static SnapshotGroup reopened(Disks disks) throws BlockException {
        for (String name : NAMES) {
            disks.open(name);
        }
        return SnapshotGroup.of(disks.graph);
    }

    private static State liveState(Disks disks, String name) throws BlockException {
        var node = disks.graph.node(name).orElseThrow();
        var snapshots = dev.ashlar.core.snapshot.Snapshots.of(node);
        var info = Disks.create(snapshots, "look");
        State state;
        try (BlockBackend view = snapshots.open(info)) {
            List<String> names = new ArrayList<>();
            snapshots.list().forEach(one -> names.add(one.name()));
            names.remove("look");
            state = new State(Disks.value(view), names);
        }
        snapshots.delete(info);
        return state;
    }

    private static State state(Disks disks, String name) throws BlockException {
        return liveState(disks, name);
    }
}
