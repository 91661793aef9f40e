package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.interop.Side;
import java.util.Random;
import java.util.function.Consumer;

/** Draws what is done next to an image, among all that makes sense on it as it is. */
final class DeedMenu {
    private final Random random;
    private final WriteDeeds writes;
    private final DeedFamily snapshots;
    private final DeedFamily sizes;
    private final DeedFamily amendments;
    private final DeedFamily bitmaps;
    private final DeedFamily backing;
    private final DeedFamily keySlots;
    private final DeedFamily repairs;
    private final DeedFamily copies;
    private final DeedFamily states;

    /** @param successor takes the image that is worked on from then on */
    DeedMenu(Random random, TestedImage image, Noise noise, Shell shell, Consumer<TestedImage> successor) {
        this.random = random;
        writes = new WriteDeeds(random, image, noise);
        snapshots = new SnapshotDeeds(random, image);
        sizes = new ResizeDeeds(random, image, shell);
        amendments = new AmendDeeds(random, image);
        bitmaps = new BitmapDeeds(random, image);
        backing = new BackingDeeds(random, image, shell);
        keySlots = new KeySlotDeeds(random, image);
        repairs = new RepairDeeds(random, image, shell, new WriteDeeds(random, image, noise));
        states = new StateDeeds(random, image);
        copies = new CopyDeeds(random, image, shell, successor);
    }

    /**
     * Draws one.
     *
     * @param doer who will do it
     * @param opening how {@code qemu-io} will open the image for it
     */
    Deed draw(Side doer, Opening opening) {
        while (true) {
            writes.openedAs(opening);
            Deed deed = (random.nextInt(5) < 3 ? writes : drawFamily()).draw(doer);
            if (deed != null) {
                return deed;
            }
        }
    }

    private DeedFamily drawFamily() {
        return switch (random.nextInt(21)) {
            case 0, 1, 2, 3 -> snapshots;
            case 4, 5, 6 -> sizes;
            case 7, 8 -> amendments;
            case 9, 10, 11, 12 -> bitmaps;
            case 13, 14 -> backing;
            case 15, 16 -> keySlots;
            case 17 -> repairs;
            case 18 -> states;
            default -> copies;
        };
    }
}
