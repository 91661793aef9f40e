package dev.ashlar.core.snapshot;

import java.util.Objects;
import java.util.OptionalLong;

/**
 * An internal snapshot, as its table entry tells.
 *
 * @param id unique in the table, usually a decimal number
 * @param name not necessarily unique
 * @param vmStateSizeBytes size of the VM state stored with it, 0 for none
 * @param dateSeconds creation time, seconds since 1970-01-01 UTC, 0 to 2^32-1
 * @param dateNanos nanoseconds part, 0 to 999,999,999
 * @param vmClockNanos guest clock at that time in nanoseconds
 * @param instructionCount guest instruction count, where recorded
 * @param diskSizeBytes virtual size of the disk in the snapshot
 */
public record SnapshotInfo(
        String id,
        String name,
        long vmStateSizeBytes,
        long dateSeconds,
        int dateNanos,
        long vmClockNanos,
        OptionalLong instructionCount,
        long diskSizeBytes) {
    public SnapshotInfo {
        Objects.requireNonNull(id, "id");
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(instructionCount, "instructionCount");
    }
}
