package dev.ashlar.testkit.crash;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What happened to several disks of one machine: a log for each, and the one order in which all of it happened. Thread-safe. */
public final class DiskSetLog {
    private final Map<String, WriteLog> logs = new LinkedHashMap<>();
    /** Per event, of whatever disk, the name of its disk. */
    private final List<String> order = new ArrayList<>();

    /** An empty log. */
    public DiskSetLog() {}

    /** The log of one disk, made when it is first asked for. */
    public synchronized WriteLog of(String disk) {
        return logs.computeIfAbsent(disk, name -> new WriteLog(() -> happened(name)));
    }

    private synchronized void happened(String disk) {
        order.add(disk);
    }

    /** Names of the disks, in the order in which they were first asked for. */
    public synchronized List<String> disks() {
        return List.copyOf(logs.keySet());
    }

    /** For each event so far the name of its disk; the k-th time that a name occurs stands for the k-th event of that disk's log. */
    public synchronized List<String> order() {
        return List.copyOf(order);
    }

    /** Number of events so far, of all disks. */
    public synchronized int size() {
        return order.size();
    }
}
