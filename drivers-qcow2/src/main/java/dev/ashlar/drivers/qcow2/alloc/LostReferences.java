package dev.ashlar.drivers.qcow2.alloc;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator.Run;
import java.util.ArrayList;
import java.util.List;

/** Runs of clusters that lost a reference, where one cluster may have lost several: it may hold many compressed clusters. */
public final class LostReferences {
    private LostReferences() {}

    /** A place in the file where a run starts, or has ended. */
    private record Edge(long cluster, int change) {}

    /**
     * The clusters that will have no reference left once all of these are taken away.
     *
     * @param refcounts as they are before that
     */
    public static List<Run> soleOwners(List<Run> lost, RefcountTable refcounts) throws BlockException {
        List<Edge> edges = new ArrayList<>(2 * lost.size());
        for (Run run : lost) {
            edges.add(new Edge(run.firstCluster(), 1));
            edges.add(new Edge(run.firstCluster() + run.count(), -1));
        }
        edges.sort((a, b) -> Long.compare(a.cluster, b.cluster));
        List<Run> found = new ArrayList<>();
        int lostHere = 0;
        long from = 0;
        for (Edge edge : edges) {
            if (lostHere > 0) {
                addWithCount(found, from, edge.cluster, lostHere, refcounts);
            }
            lostHere += edge.change;
            from = edge.cluster;
        }
        return found;
    }

    /** The parts of {@code [from, to)} whose refcount is {@code count}. */
    public static void addWithCount(List<Run> into, long from, long to, long count, RefcountTable refcounts)
            throws BlockException {
        long first = from;
        while (first < to) {
            long stop = first;
            while (stop < to && refcounts.get(stop) == count) {
                stop++;
            }
            if (stop > first) {
                into.add(new Run(first, stop - first));
            }
            first = stop + 1;
        }
    }
}
