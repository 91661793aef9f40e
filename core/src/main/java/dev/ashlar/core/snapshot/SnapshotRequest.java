package dev.ashlar.core.snapshot;

import java.util.Objects;
import java.util.OptionalLong;

/**
 * What a new snapshot is to record. The driver adds the disk size and, where {@code id} is empty, the id.
 *
 * @param id wanted id, or empty: one more than the highest numeric id in the table
 */
public record SnapshotRequest(
        String id,
        String name,
        long vmStateSizeBytes,
        long dateSeconds,
        int dateNanos,
        long vmClockNanos,
        OptionalLong instructionCount) {
    public SnapshotRequest {
        Objects.requireNonNull(id, "id");
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(instructionCount, "instructionCount");
    }

    /** A disk-only snapshot taken now. */
    public static SnapshotRequest named(String name) {
        java.time.Instant now = java.time.Instant.now();
        return new SnapshotRequest("", name, 0, now.getEpochSecond(), now.getNano(), 0, OptionalLong.empty());
    }
}
