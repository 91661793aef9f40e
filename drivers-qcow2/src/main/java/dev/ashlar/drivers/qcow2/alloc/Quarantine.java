package dev.ashlar.drivers.qcow2.alloc;

import java.util.ArrayList;
import java.util.List;

/**
 * Clusters that have lost a reference in memory but not yet durably: they keep their count, and so are neither reused nor punched, until a flush
 * covers the change (rules R4 and R5). Guarded by the image's metadata lock.
 */
public final class Quarantine {
    private List<ClusterAllocator.Run> runs = new ArrayList<>();

    public void add(long firstCluster, long count) {
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
        return runs.size();
    }

    public boolean isEmpty() {
        return runs.isEmpty();
    }

    /** All that is in quarantine; it is the caller's to release after its flush. */
    public List<ClusterAllocator.Run> take() {
        List<ClusterAllocator.Run> taken = runs;
        runs = new ArrayList<>();
        return taken;
    }
}
