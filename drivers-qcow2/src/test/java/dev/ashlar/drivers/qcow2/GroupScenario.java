package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.VmState;
import dev.ashlar.core.snapshot.SnapshotGroup;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.Snapshots;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.MemoryFile;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * An operation on a group of three disks, and what each disk must hold before and after it. With a machine's state it is disk {@code b}
 * that keeps it.
 */
record GroupScenario(Operation operation, boolean vmState) {
    static final List<String> NAMES = List.of("a", "b", "c");
    static final List<GroupScenario> ALL = all();

    private static final String VM_DISK = "b";
    private static final byte[] VM_STATE = vmBytes();

    enum Operation {
        CREATE,
        APPLY,
        DELETE
    }

    /**
     * What a user sees of a disk.
     *
     * @param value of every byte
     * @param snapshots name and size of the machine's state of each
     */
    record State(int value, List<String> snapshots) {}

    private static List<GroupScenario> all() {
        List<GroupScenario> all = new ArrayList<>();
        for (Operation operation : Operation.values()) {
            all.add(new GroupScenario(operation, false));
            all.add(new GroupScenario(operation, true));
        }
        return all;
    }

    private static byte[] vmBytes() {
        byte[] bytes = new byte[3 * 4096 + 77];
        new Random(9).nextBytes(bytes);
        return bytes;
    }

    /** Name of the snapshot that the operation is about. */
    String snapshot() {
        return operation == Operation.CREATE ? "new" : "old";
    }

    State before(String disk) {
        return new State(2, List.of("other 0", "old " + vmBytes(disk)));
    }

    State wanted(String disk) {
        return switch (operation) {
            case CREATE -> new State(2, List.of("other 0", "old " + vmBytes(disk), "new " + vmBytes(disk)));
            case APPLY -> new State(1, List.of("other 0", "old " + vmBytes(disk)));
            case DELETE -> new State(2, List.of("other 0"));
        };
    }

    private int vmBytes(String disk) {
        return vmState && disk.equals(VM_DISK) ? VM_STATE.length : 0;
    }

    /** The disks before the operation, closed. */
    Map<String, SparseBytes> prepared() throws BlockException {
        Map<String, SparseBytes> contents = new HashMap<>();
        try (Disks disks = new Disks()) {
            for (String name : NAMES) {
                disks.create(name);
                try (BlockBackend backend = disks.open(name)) {
                    Disks.fill(backend, 7);
                    Disks.create(backend.snapshots(), "other");
                    Disks.fill(backend, 1);
                    writeVmState(name, backend.snapshots());
                    backend.snapshots().create(Disks.request("", "old", vmBytes(name)));
                    Disks.fill(backend, 2);
                }
                contents.put(name, disks.memory.file(name).snapshot());
            }
        }
        return contents;
    }

    private void writeVmState(String disk, Snapshots snapshots) throws BlockException {
        if (vmBytes(disk) > 0) {
            try (VmState state = snapshots.openVmState()) {
                state.write(0, MemorySegment.ofArray(VM_STATE));
            }
        }
    }

    /** Opens disks that hold this, none of them shared with the caller. */
    static Disks open(Disks disks, Map<String, SparseBytes> contents) throws BlockException {
        for (String name : NAMES) {
            disks.memory.put(MemoryFile.of(name, contents.get(name).fork()));
            disks.open(name);
        }
        return disks;
    }

    /** Runs the operation on open disks. */
    void run(Disks disks) throws BlockException {
        SnapshotGroup group = SnapshotGroup.of(disks.graph);
        switch (operation) {
            case CREATE -> {
                BlockNode node = disks.graph.node(VM_DISK).orElseThrow();
                writeVmState(VM_DISK, Snapshots.of(node));
                group.create(Disks.request("", "new", vmBytes(VM_DISK)), vmState ? node : null);
            }
            case APPLY -> group.apply("old");
            case DELETE -> group.delete("old");
        }
    }

    /** What an open disk holds, seen without a change of it that lasts. */
    static State look(Disks disks, String name) throws BlockException {
        Snapshots snapshots = Snapshots.of(disks.graph.node(name).orElseThrow());
        List<String> names = new ArrayList<>();
        for (SnapshotInfo info : snapshots.list()) {
            names.add(info.name() + " " + info.vmStateSizeBytes());
        }
        SnapshotInfo look = Disks.create(snapshots, "look");
        State state;
        try (BlockBackend view = snapshots.open(look)) {
            state = new State(Disks.value(view), names);
        }
        snapshots.delete(look);
        return state;
    }

    /** All disks are as before or all are as wanted, also within their snapshots, and the images are sound. Closes the disks. */
    void requireAlike(Disks disks, boolean mustBeDone) throws BlockException {
        List<State> found = new ArrayList<>();
        List<State> before = new ArrayList<>();
        List<State> wanted = new ArrayList<>();
        for (String name : NAMES) {
            found.add(look(disks, name));
            before.add(before(name));
            wanted.add(wanted(name));
        }
        assertEquals(mustBeDone || !found.equals(before) ? wanted : before, found);
        disks.restart();
        for (String name : NAMES) {
            try (BlockBackend backend = disks.open(name)) {
                Disks.requireSound(backend, true);
                for (SnapshotInfo info : backend.snapshots().list()) {
                    requireContent(name, backend, info);
                }
                Disks.requireSound(backend, true);
            }
        }
        disks.close();
    }

    private void requireContent(String disk, BlockBackend backend, SnapshotInfo info) throws BlockException {
        backend.snapshots().apply(info);
        int value = info.name().equals("other") ? 7 : info.name().equals("old") ? 1 : 2;
        assertEquals(value, Disks.value(backend), info.name());
        if (info.vmStateSizeBytes() > 0) {
            byte[] bytes = new byte[VM_STATE.length];
            try (VmState state = backend.snapshots().openVmState()) {
                state.read(0, MemorySegment.ofArray(bytes));
            }
            assertArrayEquals(VM_STATE, bytes, "state of the machine in '" + info.name() + "' on '" + disk + "'");
        }
    }
}
