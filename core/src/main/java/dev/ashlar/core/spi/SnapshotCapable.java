package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.snapshot.SnapshotIndex;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import java.util.List;

/**
 * A format with internal snapshots. Core calls {@link #createSnapshot}, {@link #applySnapshot} and {@link #deleteSnapshot} on a
 * drained, writable node, one at a time; each is all-or-nothing, also across a power cut.
 */
public interface SnapshotCapable {
    /** All snapshots in table order; an unmodifiable list that later changes do not touch. */
    List<SnapshotInfo> snapshots() throws BlockException;

    /** The same, with ways to find one without a walk; a driver that keeps it between changes is asked in constant time. */
    default SnapshotIndex snapshotIndex() throws BlockException {
        return SnapshotIndex.of(snapshots());
    }

    /**
     * Does ahead what a creation can do while requests go on, so that the drained node has little to wait for. Called on a node that is not
     * drained, while no other control operation runs on it; then comes {@link #createSnapshot}, or {@link #abandonCreate}.
     */
    default void prepareCreate() throws BlockException {}

    /** Takes back what {@link #prepareCreate} did, unless a snapshot came of it; also after it failed. */
    default void abandonCreate() throws BlockException {}

    /** @throws BlockException EXISTS for a duplicate id, TOO_LARGE when the table is full */
    SnapshotInfo createSnapshot(SnapshotRequest request) throws BlockException;

    /** Makes the snapshot's content and size the active layer's. @param snapshot an entry of {@link #snapshots} */
    void applySnapshot(SnapshotInfo snapshot) throws BlockException;

    /**
     * Gives up the snapshot, and the space that only it needs.
     *
     * @param snapshot an entry of {@link #snapshots}
     * @throws BlockException BUSY while {@linkplain #openSnapshot a view} of it is open
     */
    void deleteSnapshot(SnapshotInfo snapshot) throws BlockException;

    /**
     * A read-only view of the snapshot's content beside the live disk. It shares this instance's children; while it is open the
     * snapshot can't be deleted (BUSY). Closed before this instance.
     */
    FormatInstance openSnapshot(SnapshotInfo snapshot) throws BlockException;
}
