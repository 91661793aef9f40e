package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.snapshot.SnapshotInfo;

/**
 * A format that can give a snapshot another name, all-or-nothing, also across a power cut. What is renamed can be renamed back: groups of disks make
 * their deletions undoable with it. Called as the changes of {@link SnapshotCapable}.
 */
public interface SnapshotRenamable {
    /**
     * @param snapshot an entry of the snapshot list; id, dates and place in the list stay
     * @return the entry as it is now
     */
    SnapshotInfo renameSnapshot(SnapshotInfo snapshot, String name) throws BlockException;
}
