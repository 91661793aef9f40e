package dev.ashlar.drivers.qcow2.alloc;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Clusters that have lost a reference in memory but not yet durably: they keep their count, and so are neither reused nor punched, until a flush
 * covers the change (rules R4 and R5). Guarded by the image's metadata lock.
 */
public final class Quarantine {
    private Map<Discard, List<ClusterAllocator.Run>> byReason = new EnumMap<>(Discard.class);

    public void add(long firstCluster, long count, Discard reason) {
        List<ClusterAllocator.Run> runs = byReason.computeIfAbsent(reason, none -> new ArrayList<>());
        int last = runs.size() - 1;
        if (last >= 0 && runs.get(last).firstCluster() + runs.get(last).count() == firstCluster) {
            ClusterAllocator.Run run = runs.get(last);
            runs.set(last, new ClusterAllocator.Run(run.firstCluster(), run.count() + count));
        } else {
            runs.add(new ClusterAllocator.Run(firstCluster, count));
        }
    }

    /** How many runs wait. */
    int size() {
        int size = 0;
        for (List<ClusterAllocator.Run> runs : byReason.values()) {
            size += runs.size();
        }
        return size;
    }

    public boolean isEmpty() {
        return byReason.isEmpty();
    }

    /** All that is in quarantine; it is the caller's to release after its flush. */
    public Map<Discard, List<ClusterAllocator.Run>> take() {
        Map<Discard, List<ClusterAllocator.Run>> taken = byReason;
        byReason = new EnumMap<>(Discard.class);
        return taken;
    }
}
