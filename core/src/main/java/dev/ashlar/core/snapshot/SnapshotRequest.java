package dev.ashlar.core.snapshot;

import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.OptionalLong;

/**
 * What a new snapshot is to record. The driver adds the disk size and, where {@code id} is empty, the id.
 *
 * <p>Neither id nor name has a NUL or half a surrogate pair: neither could be stored ({@link IllegalArgumentException}).
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
        requireStorable("id", id);
        requireStorable("name", name);
    }

    /** Tables hold names as UTF-8, and other programs read them up to the first NUL. */
    private static void requireStorable(String what, String text) {
        if (text.indexOf('\0') >= 0 || !StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new IllegalArgumentException(
                    "the " + what + " of a snapshot can't have a NUL or half a surrogate pair");
        }
    }

    /** A disk-only snapshot taken now. */
    public static SnapshotRequest named(String name) {
        java.time.Instant now = java.time.Instant.now();
        return new SnapshotRequest("", name, 0, now.getEpochSecond(), now.getNano(), 0, OptionalLong.empty());
    }
}
