package dev.ashlar.core.snapshot;

import java.util.List;

/**
 * What an operation on a group did.
 *
 * @param snapshot name of the snapshot
 * @param nodeNames the disks on which something was done, in the group's order
 * @param standstillNanos how long all disks stood still together, from before the first change on; nanoseconds
 */
public record GroupReport(String snapshot, List<String> nodeNames, long standstillNanos) {
    public GroupReport {
        nodeNames = List.copyOf(nodeNames);
    }
}
