package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import java.util.Map;
import java.util.TreeMap;

/** Finds clusters that nothing refers to, first fit, then behind the end of the file. Which ones were taken is kept here until they are in force. */
final class Placement {
    /** Where tables name nearly all clusters behind the end of the file, none further behind is tried. */
    private static final long MAX_BEHIND_END = 1L << 25;

    private final ReferenceCounts references;
    /** First cluster of each run that was taken, and its length. */
    private final TreeMap<Long, Long> taken = new TreeMap<>();
    /** None of {@code [fullFrom, fullTo)} is free: blocks are placed one after the other, and each starts to look where others have looked already. */
    private long fullFrom;

    private long fullTo;

    Placement(ReferenceCounts references) {
        this.references = references;
    }

    /** @return the first of {@code count} free clusters in a row, not before {@code from} */
    long take(long count, long from) throws BlockException {
        long start = count == 1 ? takeOne(from) : takeRow(count, from);
        taken.put(start, count);
        return start;
    }

    private long takeOne(long from) throws BlockException {
        boolean known = from >= fullFrom && from < fullTo;
        long cluster = nextFree(known ? fullTo : from);
        fullFrom = known ? fullFrom : from;
        fullTo = cluster + 1;
        return cluster;
    }

    private long takeRow(long count, long from) throws BlockException {
        long start = from;
        long found = 0;
        while (found < count) {
            long cluster = start + found;
            long next = nextFree(cluster);
            if (next == cluster) {
                found++;
            } else {
                start = next;
                found = 0;
            }
        }
        return start;
    }

    private long nextFree(long cluster) throws BlockException {
        long at = cluster;
        while (true) {
            Map.Entry<Long, Long> run = taken.floorEntry(at);
            if (run != null && at < run.getKey() + run.getValue()) {
                at = run.getKey() + run.getValue();
            } else if (at >= references.fileClusters()) {
                // what lies there may be named by a table, although it has been cut off
                long free = references.get(at) != 0 ? at + 1 : references.firstFreeBehindEnd(at);
                if (free == at) {
                    return at;
                }
                if (free > references.fileClusters() + MAX_BEHIND_END) {
                    throw new BlockException(Kind.TOO_LARGE, "ERROR allocating refblock: File too large");
                }
                at = free;
            } else if (references.get(at) != 0) {
                at++;
            } else {
                return at;
            }
        }
    }

    void giveBack(long first, long count) {
        fullTo = fullFrom;
        taken.remove(first, count);
    }

    boolean isTaken(long cluster) {
        Map.Entry<Long, Long> run = taken.floorEntry(cluster);
        return run != null && cluster < run.getKey() + run.getValue();
    }
}
