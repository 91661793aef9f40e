package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.interop.Side;
import dev.ashlar.cli.interop.differential.Deed.Ending;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** Internal snapshots: taken, applied, deleted; refused with a data file, and to apply beside bitmaps. */
final class SnapshotDeeds extends DeedFamily {
    private static final int MAX_SNAPSHOTS = 4;

    SnapshotDeeds(Random random, TestedImage image) {
        super(random, image);
    }

    @Override
    @Nullable
    Deed draw(Side doer) {
        List<String> names = List.copyOf(image.model.snapshots().keySet());
        Ending ending = image.countsEverything() ? Ending.DONE : Ending.DONE_OR_OVERFLOW;
        if (image.features.hasDataFile()) {
            return oneIn(4) ? img(Ending.REFUSED, () -> {}, "snapshot", "-c", image.newName("refused")) : null;
        }
        if (names.isEmpty() || names.size() < MAX_SNAPSHOTS && random.nextBoolean()) {
            String name = image.newName("s");
            return img(ending, () -> image.createSnapshot(name), "snapshot", "-c", name);
        }
        String name = any(names);
        boolean apply = random.nextBoolean();
        if (apply && !image.bitmaps.isEmpty()) {
            return img(Ending.REFUSED, () -> {}, "snapshot", "-a", name);
        }
        return apply
                ? img(ending, () -> image.applySnapshot(name), "snapshot", "-a", name)
                : img(Ending.DONE, () -> image.deleteSnapshot(name), "snapshot", "-d", name);
    }
}
