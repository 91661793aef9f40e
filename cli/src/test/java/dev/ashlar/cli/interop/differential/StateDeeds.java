package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.interop.Side;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * The state of a machine, written behind the disk's end by {@code write -b}: snapshots keep it and bring it back. Where the state begins depends on the size of the
 * disk; only tables are used that reach so far that no disk here moves it. Ashlar gives it up when the disk gets another size, so that it never shows as content of
 * the disk; the real program keeps it when the disk grows.
 */
final class StateDeeds extends DeedFamily {
    static final int SLOT_BYTES = 24 << 10;
    private static final int SLOTS = 8;
    private static final int MIN_CLUSTER_BITS = 14;

    StateDeeds(Random random, TestedImage image) {
        super(random, image);
    }

    @Override
    @Nullable
    Deed draw(Side doer) {
        if (image.features.clusterBits() < MIN_CLUSTER_BITS || image.features.hasDataFile()) {
            return null;
        }
        int slot = random.nextInt(SLOTS);
        int pattern = random.nextInt(256);
        return new Deed.Io(
                "write -b -P " + pattern + " " + slot * SLOT_BYTES + " " + SLOT_BYTES,
                () -> image.machine.write(slot, pattern));
    }
}
