package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.ImageShape.Need;
import dev.ashlar.testkit.SparseBytes;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;

/**
 * One way in which an image on disk changes, as {@link EveryOperationCrashTest} tries it.
 *
 * @param needs of the image it is tried on
 * @param prepared what is done before, and is not recorded
 * @param damage done to the file then
 * @param deed what is recorded; content of the disk changes only through the work's machine
 * @param facts what else is old or new after a crash, each by itself; empty where the content is all
 * @param kind what may be expected of the image
 */
record Change(String name, List<Need> needs, Step prepared, Damage damage, Step deed, Facts facts, Kind kind) {
    /** What may be expected of the images between. */
    enum Kind {
        /** Never worse than leaks. */
        SOUND,
        /** Damaged before: content and facts are as they should be all the time, and a repair mends all. */
        DAMAGED
    }

    @FunctionalInterface
    interface Step {
        void on(ChangeWork work) throws Exception;
    }

    /** Bytes changed behind the driver's back. */
    @FunctionalInterface
    interface Damage {
        void inflict(RawImage image, Random random) throws BlockException;
    }

    /** Reads from an image that nobody else uses. */
    @FunctionalInterface
    interface Facts {
        Map<String, String> of(SparseBytes image, ImageShape shape) throws Exception;
    }

    /** A value that may stand for the old and the new one. */
    static final String UNKNOWN = "unknown";

    private static final Facts NONE = (image, shape) -> Map.of();

    static Change of(String name, List<Need> needs, Step deed) {
        return new Change(name, needs, work -> {}, (image, random) -> {}, deed, NONE, Kind.SOUND);
    }

    Change after(Step preparation) {
        return new Change(name, needs, preparation, damage, deed, facts, kind);
    }

    Change all(Facts whole) {
        return new Change(name, needs, prepared, damage, deed, whole, kind);
    }

    /** On an image that is not as it was left, but still sound. */
    Change with(Damage harmless) {
        return new Change(name, needs, prepared, harmless, deed, facts, kind);
    }

    Change damaged(Damage done) {
        return new Change(name, needs, prepared, done, deed, facts, Kind.DAMAGED);
    }

    /** What is neither old nor new in the facts that were found, or "". */
    static String neither(Map<String, String> old, Map<String, String> changed, Map<String, String> found) {
        for (String key : union(old, changed, found)) {
            String value = found.getOrDefault(key, "none");
            if (!value.equals(UNKNOWN)
                    && !value.equals(old.getOrDefault(key, "none"))
                    && !value.equals(changed.getOrDefault(key, "none"))) {
                return key + " is " + value + ", neither " + old.getOrDefault(key, "none") + " nor "
                        + changed.getOrDefault(key, "none");
            }
        }
        return "";
    }

    @SafeVarargs
    private static Set<String> union(Map<String, String>... maps) {
        Set<String> keys = new TreeSet<>();
        for (Map<String, String> map : maps) {
            keys.addAll(map.keySet());
        }
        return keys;
    }

    @Override
    public String toString() {
        return name;
    }
}
