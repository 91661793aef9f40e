package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.snapshot.SnapshotInfo;
import org.jspecify.annotations.Nullable;

/** A format that can tell from its tables alone where two snapshots differ, and what each of them takes. Called on a drained node. */
public interface SnapshotComparable {
    /** Takes ranges in ascending order, neighbours merged. */
    @FunctionalInterface
    interface RangeConsumer {
        /** @param lengthBytes at least 1 */
        void range(long guestOffset, long lengthBytes);
    }

    /**
     * Where the content may differ: everywhere else it is the same, byte for byte. The ranges are whole allocation units, cut at the end of the larger disk; what
     * only one of the two disks has counts as different.
     *
     * @param from an entry of the snapshot list, or null for the live disk
     * @param to likewise
     */
    void difference(@Nullable SnapshotInfo from, @Nullable SnapshotInfo to, RangeConsumer consumer)
            throws BlockException;

    /**
     * What a layer takes on the host.
     *
     * @param exclusiveBytes clusters that nothing else refers to: what deleting it would give back
     * @param sharedBytes clusters that other layers refer to as well
     */
    record Usage(long exclusiveBytes, long sharedBytes) {}

    /** @param snapshot an entry of the snapshot list, or null for the live disk */
    Usage usage(@Nullable SnapshotInfo snapshot) throws BlockException;
}
