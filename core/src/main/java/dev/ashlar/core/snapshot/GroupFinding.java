package dev.ashlar.core.snapshot;

import java.util.List;

/**
 * A group's disks that do not agree about a snapshot: traces of an operation that was interrupted.
 *
 * @param snapshot name of the snapshot
 * @param present disks that have what the kind speaks of
 * @param absent disks that do not
 */
public record GroupFinding(Kind kind, String snapshot, List<String> present, List<String> absent) {
    public GroupFinding {
        present = List.copyOf(present);
        absent = List.copyOf(absent);
    }

    /** What was interrupted, and what {@link SnapshotGroup#repair} does about it. */
    public enum Kind {
        /** Some disks have the snapshot and others don't: a creation that did not come to its end. Undone: it is deleted everywhere. */
        INCOMPLETE,
        /** Every disk keeps its state from before an apply that did not come to its end. Undone: the disks get that state back. */
        APPLY_INTERRUPTED,
        /** Some disks still keep their state from before an apply; the disks agree. Finished: that state is deleted. */
        APPLY_LEFTOVER,
        /** The snapshot is marked for deletion on some disks and not on others. Undone: it gets its name back. */
        DELETE_INTERRUPTED,
        /** The snapshot is marked for deletion wherever it is. Finished: it is deleted. */
        DELETE_LEFTOVER
    }

    /** One line for a user. */
    public String text() {
        return switch (kind) {
            case INCOMPLETE ->
                "Snapshot '" + snapshot + "' is incomplete: it is on " + names(present) + " but not on "
                        + names(absent);
            case APPLY_INTERRUPTED ->
                "Applying snapshot '" + snapshot + "' was interrupted: " + names(present)
                        + " may hold its content or what they held before";
            case APPLY_LEFTOVER ->
                "Applying snapshot '" + snapshot + "' left the state from before on " + names(present);
            case DELETE_INTERRUPTED ->
                "Deleting snapshot '" + snapshot + "' was interrupted: it is marked for deletion on " + names(present)
                        + " but not on " + names(absent);
            case DELETE_LEFTOVER -> "Deleting snapshot '" + snapshot + "' is not finished on " + names(present);
        };
    }

    /** What a repair does, as the continuation of a sentence. */
    public String remedy() {
        return switch (kind) {
            case INCOMPLETE -> "it is deleted where it is";
            case APPLY_INTERRUPTED -> "all disks go back to what they held before";
            case APPLY_LEFTOVER -> "the state from before is deleted";
            case DELETE_INTERRUPTED -> "it gets its name back";
            case DELETE_LEFTOVER -> "it is deleted";
        };
    }

    /** Whether a repair goes back to what was before, instead of finishing. */
    public boolean isUndone() {
        return kind == Kind.INCOMPLETE || kind == Kind.APPLY_INTERRUPTED || kind == Kind.DELETE_INTERRUPTED;
    }

    private static String names(List<String> nodes) {
        return "'" + String.join("', '", nodes) + "'";
    }
}
