package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.interop.Side;
import dev.ashlar.cli.interop.differential.Deed.Ending;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** What {@code amend} changes of a format: version, refcount width, lazy refcounts, size. Key slots are {@link KeySlotDeeds}. */
final class AmendDeeds extends DeedFamily {
    /** With larger clusters qemu-img takes up to minutes for another refcount width: it looks at every count that the table could hold. */
    private static final int MAX_QUICK_AMEND_BITS = 14;

    AmendDeeds(Random random, TestedImage image) {
        super(random, image);
    }

    @Override
    @Nullable
    Deed draw(Side doer) {
        return switch (random.nextInt(5)) {
            case 0 -> drawLazyRefcounts();
            case 1, 2 -> drawWidth(doer);
            case 3 -> drawSize(doer);
            default -> drawVersion(doer);
        };
    }

    private @Nullable Deed drawLazyRefcounts() {
        boolean lazy = random.nextBoolean();
        return image.modern
                ? amend(Ending.DONE, () -> image.lazyRefcounts = lazy, "lazy_refcounts=" + (lazy ? "on" : "off"))
                : null;
    }

    private @Nullable Deed drawWidth(Side doer) {
        int bits = 1 << random.nextInt(7);
        boolean slow = image.features.clusterBits() > MAX_QUICK_AMEND_BITS;
        if (!image.modern || slow && doer == Side.QEMU) {
            return null;
        }
        Ending ending = bits >= 16 ? Ending.DONE : Ending.DONE_OR_OVERFLOW;
        return amend(ending, () -> image.refcountBits = bits, "refcount_bits=" + bits);
    }

    /** Another size, and sometimes another version or width with it. */
    private @Nullable Deed drawSize(Side doer) {
        long length = image.model.lengthBytes();
        long wanted = Math.min(MAX_BYTES, length + SECTOR_BYTES * (1 + random.nextLong(3000)));
        boolean v2 = !image.modern;
        if (wanted == length
                || !ResizeDeeds.canGrow(image, doer)
                || doer == Side.QEMU && ResizeDeeds.readsNoise(image)
                || v2 && (image.backing != null || !image.model.snapshots().isEmpty())) {
            return null;
        }
        String more = v2 && random.nextBoolean() ? "compat=1.1,lazy_refcounts=on," : "";
        return amend(
                Ending.DONE,
                () -> {
                    image.resize(wanted);
                    image.modern |= !more.isEmpty();
                    image.lazyRefcounts |= !more.isEmpty();
                },
                more + "size=" + wanted);
    }

    /**
     * Up or down. Down with snapshots the real program writes zeros over what other layers still read, and bitmaps are left behind by it as leaked clusters; on an
     * encrypted disk it writes zeros in the clear, which read as noise.
     */
    private @Nullable Deed drawVersion(Side doer) {
        if (!image.modern) {
            return amend(Ending.DONE, () -> image.modern = true, "compat=1.1");
        }
        boolean easy = image.bitmaps.isEmpty() && image.model.snapshots().isEmpty();
        ImageFeatures features = image.features;
        if (features.extendedL2()
                || features.compressionType().equals("zstd")
                || image.refcountBits != 16
                || features.hasDataFile()
                || doer == Side.QEMU && (!easy || image.keys != null)) {
            return null;
        }
        if (!image.snapshotsAreAsLongAsTheDisk()) {
            return amend(Ending.REFUSED, () -> {}, "compat=0.10,lazy_refcounts=off");
        }
        return amend(
                Ending.DONE,
                () -> {
                    image.modern = false;
                    image.lazyRefcounts = false;
                    image.bitmaps.clear();
                },
                "compat=0.10,lazy_refcounts=off");
    }

    private Deed amend(Ending ending, Runnable effect, String options) {
        return img(ending, effect, "amend", "-q", "-o", options);
    }
}
