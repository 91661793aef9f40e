package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;

/** A format that keeps a machine's state beside the disk, out of the guest's sight. */
public interface VmStateCapable {
    /**
     * The VM state that goes with the live disk, as bytes from 0: written before a snapshot is created, read after one was applied. Bytes never written read as
     * zeros. It shares this instance's children and locks, and is closed before it. Its length is that of the area, not of what was written; {@link
     * dev.ashlar.core.snapshot.SnapshotInfo#vmStateSizeBytes} tells that.
     */
    FormatInstance openVmState() throws BlockException;

    /** Gives up the state that goes with the live disk, where there is one. Called on a drained, writable node. */
    void dropVmState() throws BlockException;
}
