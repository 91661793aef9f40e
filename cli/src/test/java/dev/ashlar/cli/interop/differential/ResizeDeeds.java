package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.interop.Side;
import dev.ashlar.cli.interop.differential.Deed.Ending;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** The disk grows, with each preallocation, and shrinks. */
final class ResizeDeeds extends DeedFamily {
    ResizeDeeds(Random random, TestedImage image) {
        super(random, image);
    }

    @Override
    @Nullable
    Deed draw(Side doer) {
        long length = image.model.lengthBytes();
        boolean grow = random.nextBoolean();
        long wanted = grow
                ? Math.min(MAX_BYTES, length + SECTOR_BYTES * (1 + random.nextLong(3000)))
                : SECTOR_BYTES * (1 + random.nextLong(Math.max(1, length / SECTOR_BYTES)));
        boolean snapshots = !image.model.snapshots().isEmpty();
        if (!grow && (doer == Side.QEMU || snapshots || image.features.hasDataFile())) {
            // what it cuts off within a cluster comes back when the disk grows
            wanted = wanted / image.features.clusterBytes() * image.features.clusterBytes();
        }
        long newLength = wanted;
        if (newLength == length || newLength == 0) {
            return null;
        }
        if (!image.modern && image.backing != null) {
            return null; // what a longer backing file shows could not be hidden
        }
        if (newLength > length && !canGrow(image, doer)) {
            return null;
        }
        List<String> words = new ArrayList<>(List.of("resize", "-q"));
        if (wanted < length) {
            words.add("--shrink");
        } else if (oneIn(3)) {
            String mode = any(List.of("metadata", "falloc", "full"));
            if (canPreallocate(doer, mode)) {
                words.add("--preallocation=" + mode);
            }
        }
        boolean refused = snapshots && !image.modern;
        return new Deed.Img(
                image.command(words, drawNodeOptions(), Long.toString(wanted)),
                refused ? Ending.REFUSED : Ending.DONE,
                refused ? () -> {} : () -> {
                    image.resize(newLength);
                    if (newLength < length) {
                        image.machine.forget();
                    }
                });
    }

    /**
     * The real program allocates without clearing: with {@code metadata} old bytes of the image file show in the new end, and on an encrypted disk what is new reads
     * as noise.
     */
    private boolean canPreallocate(Side doer, String mode) {
        if (image.backing != null) {
            return false;
        }
        return doer == Side.ASHLAR || image.keys == null && !mode.equals("metadata");
    }

    /** The real program cannot hide a longer backing file in sub-clusters of a last cluster that is compressed: "Failed to zero out new clusters". */
    static boolean canGrow(TestedImage image, Side doer) {
        return doer == Side.ASHLAR || image.backing == null || !image.features.extendedL2();
    }
}
