package dev.ashlar.drivers.qcow2.format;

import dev.ashlar.core.snapshot.SnapshotInfo;
import java.util.Objects;

/**
 * One entry of the snapshot table.
 *
 * @param info what users see
 * @param l1TableOffset host offset of the snapshot's L1 table
 * @param l1Entries its length; unsigned in a table that is being checked
 * @param unknownExtra extra data behind the known 24 bytes, preserved
 * @param id the id as it is stored, which need not be valid UTF-8
 * @param name the name as it is stored
 */
@SuppressWarnings("ArrayRecordComponent")
public record SnapshotEntry(
        SnapshotInfo info, long l1TableOffset, int l1Entries, byte[] unknownExtra, byte[] id, byte[] name) {
    public SnapshotEntry {
        Objects.requireNonNull(info, "info");
        Objects.requireNonNull(unknownExtra, "unknownExtra");
        Objects.requireNonNull(id, "id");
        Objects.requireNonNull(name, "name");
    }
}
