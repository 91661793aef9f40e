package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.interop.Side;
import dev.ashlar.cli.interop.differential.Deed.Ending;
import dev.ashlar.testkit.host.Command;
import dev.ashlar.testkit.qcow2.PlantedLeaks;
import java.io.IOException;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** {@code check -r} on an image that is in order, that leaks, or whose user was killed. */
final class RepairDeeds extends DeedFamily {
    private static final int MAX_LEAKS = 4;
    private static final int LEAKS_FOUND = 3;

    private final Shell shell;
    private final KilledUser killed;

    RepairDeeds(Random random, TestedImage image, Shell shell, WriteDeeds writes) {
        super(random, image);
        this.shell = shell;
        killed = new KilledUser(random, image, shell, writes);
    }

    @Override
    @Nullable
    Deed draw(Side doer) {
        int kind = random.nextInt(4);
        if (kind == 0) {
            return killed.canBe()
                    ? new Deed.Work(doer + " killed", () -> {
                        killed.run(doer);
                        repair();
                        killed.removeBitmaps();
                    })
                    : null;
        }
        if (kind == 1) {
            return new Deed.Work("leaks", this::plantLeaks);
        }
        return canRepair(doer) ? img(Ending.DONE, () -> {}, repairing()) : null;
    }

    /** qemu-img forgets all snapshots when it opens an image for a repair that has bitmaps, too. */
    private boolean canRepair(Side doer) {
        return doer == Side.ASHLAR
                || image.bitmaps.isEmpty()
                || image.model.snapshots().isEmpty();
    }

    private String[] repairing() {
        return new String[] {"check", "-q", "-r", random.nextBoolean() ? "leaks" : "all"};
    }

    private void repair() {
        Side side = shell.drawSide();
        // refcounts that were put off are more than leaks
        String what = image.lazyRefcounts || random.nextBoolean() ? "all" : "leaks";
        List<String> words = image.command(List.of("check", "-q", "-r", what));
        shell.run(canRepair(side) ? side : Side.ASHLAR, words).orFail();
    }

    /** Both find as many as there are; either gives them back. */
    private void plantLeaks() throws IOException {
        int count = PlantedLeaks.plant(image.path, random, MAX_LEAKS);
        shell.tell(Side.ASHLAR, List.of("(" + count + " clusters counted that nothing refers to)"));
        if (count == 0) {
            return;
        }
        Command.Result found = shell.runBoth(image.command(List.of("check", "--output=json")));
        if (found.exitCode() != LEAKS_FOUND || !found.output().contains("\"leaks\": " + count + ",")) {
            throw new AssertionError(count + " leaks, but " + found);
        }
        repair();
    }
}
