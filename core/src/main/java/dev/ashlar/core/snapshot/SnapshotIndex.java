package dev.ashlar.core.snapshot;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A snapshot list at one moment, with the place of each id and each name. Immutable; building it walks the list once, a look-up does not.
 * Ids and names may occur several times, as in images that others made: the first in table order is found.
 */
public final class SnapshotIndex {
    private static final int NONE = -1;

    private final List<SnapshotInfo> list;
    private final Map<String, Integer> firstById;
    private final Map<String, Integer> firstByName;
    /** Per entry the next one with the same id, or {@link #NONE}. */
    private final int[] nextSameId;

    private final long highestNumericId;

    private SnapshotIndex(List<SnapshotInfo> list) {
        this.list = List.copyOf(list);
        int size = this.list.size();
        firstById = HashMap.newHashMap(size);
        firstByName = HashMap.newHashMap(size);
        nextSameId = new int[size];
        long highest = 0;
        for (int i = size - 1; i >= 0; i--) {
            SnapshotInfo snapshot = this.list.get(i);
            Integer later = firstById.put(snapshot.id(), i);
            nextSameId[i] = later == null ? NONE : later;
            firstByName.put(snapshot.name(), i);
            highest = Math.max(highest, numeric(snapshot.id()));
        }
        highestNumericId = highest;
    }

    /** @param list in table order */
    public static SnapshotIndex of(List<SnapshotInfo> list) {
        return new SnapshotIndex(list);
    }

    /** All entries in table order, unmodifiable. */
    public List<SnapshotInfo> list() {
        return list;
    }

    /**
     * The place of the first entry that has the id, if given, and the name, if given; -1 for none.
     *
     * @throws IllegalArgumentException if neither is given
     */
    public int position(@Nullable String id, @Nullable String name) {
        if (id == null) {
            if (name == null) {
                throw new IllegalArgumentException("neither id nor name");
            }
            return firstByName.getOrDefault(name, NONE);
        }
        int at = firstById.getOrDefault(id, NONE);
        while (at != NONE && name != null && !list.get(at).name().equals(name)) {
            at = nextSameId[at];
        }
        return at;
    }

    /** As {@link #position}. */
    public Optional<SnapshotInfo> find(@Nullable String id, @Nullable String name) {
        int at = position(id, name);
        return at == NONE ? Optional.empty() : Optional.of(list.get(at));
    }

    /** The highest id that is a number or starts with one; 0 for none. Numbers of more than 18 digits count by these. */
    public long highestNumericId() {
        return highestNumericId;
    }

    private static long numeric(String id) {
        long value = 0;
        for (int i = 0; i < id.length() && i < 18 && id.charAt(i) >= '0' && id.charAt(i) <= '9'; i++) {
            value = value * 10 + (id.charAt(i) - '0');
        }
        return value;
    }
}
