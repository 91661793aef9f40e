package dev.ashlar.cli.interop.differential;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/** What was written as the state of a machine, in slots of one size, now and in each snapshot. */
final class MachineState {
    private Map<Integer, Integer> patterns = new TreeMap<>();
    private final Map<String, Map<Integer, Integer>> snapshots = new HashMap<>();

    private boolean used;

    /** Whether there ever was any. */
    boolean isUsed() {
        return used;
    }

    void write(int slot, int pattern) {
        used = true;
        patterns.put(slot, pattern);
    }

    /** Nobody says what becomes of it. */
    void forget() {
        patterns.clear();
    }

    void createSnapshot(String name) {
        snapshots.put(name, new TreeMap<>(patterns));
    }

    void applySnapshot(String name) {
        patterns = new TreeMap<>(Objects.requireNonNull(snapshots.get(name)));
    }

    void deleteSnapshot(String name) {
        snapshots.remove(name);
    }

    /** Commands of {@code qemu-io} that verify all of it. */
    List<String> reads() {
        List<String> commands = new ArrayList<>();
        patterns.forEach((slot, pattern) -> commands.addAll(List.of(
                "-c", "read -b -P " + pattern + " " + slot * StateDeeds.SLOT_BYTES + " " + StateDeeds.SLOT_BYTES)));
        return commands;
    }
}
