package dev.ashlar.core.snapshot;

import java.util.Objects;

/**
 * What taking a snapshot of one node did.
 *
 * @param snapshot the new entry
 * @param standstillNanos how long the node stood still, the wait for requests under way included; nanoseconds
 */
public record CreateReport(SnapshotInfo snapshot, long standstillNanos) {
    public CreateReport {
        Objects.requireNonNull(snapshot, "snapshot");
    }
}
