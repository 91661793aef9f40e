package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.interop.Side;
import dev.ashlar.testkit.SparseBytes;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * What goes down into a backing file, and other files below: {@code commit} and {@code rebase}. The disk's content is as before, but for an unsafe rebase; a
 * snapshot's is not, where it shows the backing file, so that there must be none.
 */
final class BackingDeeds extends DeedFamily {
    private final Shell shell;
    private final BackingFiles files;

    BackingDeeds(Random random, TestedImage image, Shell shell) {
        super(random, image);
        this.shell = shell;
        files = new BackingFiles(random, shell);
    }

    @Override
    @Nullable
    Deed draw(Side doer) {
        if (!image.model.snapshots().isEmpty()) {
            return null;
        }
        BackingFile backing = image.backing;
        if (backing != null && random.nextBoolean()) {
            return backing.below != null && random.nextBoolean()
                    ? committedThrough(doer, backing, backing.below)
                    : committed(doer, backing);
        }
        if (image.features.dataFile() == ImageFeatures.DataFile.RAW || backing == null && !oneIn(3)) {
            return null;
        }
        return random.nextBoolean() && canKeepZeros(doer) ? rebased(doer) : rebasedUnsafely(doer);
    }

    /** Of an image of version 2 with nothing below it the real program does not write out the zeros that the new file replaces. */
    private boolean canKeepZeros(Side doer) {
        return doer == Side.ASHLAR || image.modern || image.backing != null;
    }

    private Deed committed(Side doer, BackingFile base) {
        boolean keeps = oneIn(3);
        List<String> words = new ArrayList<>(List.of("commit", "-q"));
        if (keeps) {
            words.add("-d");
        }
        return new Deed.Work(doer + (keeps ? " commit -d" : " commit"), () -> {
            shell.run(doer, image.command(words, drawNodeOptions())).orFail();
            base.content = over(base.content, image.model.disk());
            if (!keeps) {
                image.machine.forget();
            }
        });
    }

    /** Into the lowest file; what stands between shows that file then, wherever it has nothing of its own. */
    private Deed committedThrough(Side doer, BackingFile middle, BackingFile base) {
        List<String> words = List.of("commit", "-q", "-b", base.path.toString());
        return new Deed.Work(doer + " commit -b", () -> {
            Extents own = extents(List.of("map", "--output=json", "-f", middle.format, middle.path.toString()));
            shell.run(doer, image.command(words)).orFail();
            base.content = over(base.content, image.model.disk());
            middle.content = own.above(base, middle.content);
        });
    }

    /** The upper bytes, and behind their end what was there before. */
    private static SparseBytes over(SparseBytes lower, SparseBytes upper) {
        SparseBytes result = upper.fork();
        long end = upper.lengthBytes();
        if (lower.lengthBytes() > end) {
            byte[] tail = lower.read(end, (int) (lower.lengthBytes() - end));
            result.write(end, tail, 0, tail.length);
        }
        return result;
    }

    private Deed rebased(Side doer) {
        if (image.backing != null && oneIn(3)) {
            return new Deed.Work(doer + " rebase to none", () -> rebase(doer, List.of("rebase", "-b", ""), null));
        }
        return new Deed.Work(doer + " rebase", () -> {
            BackingFile next = nextBacking();
            rebase(doer, List.of("rebase", "-b", next.path.toString(), "-F", next.format), next);
        });
    }

    private void rebase(Side doer, List<String> words, @Nullable BackingFile next) {
        shell.run(doer, image.command(words)).orFail();
        image.backing = next;
        image.endIsUnclean = true;
        image.bitmaps.values().forEach(BitmapModel::mayGrow);
    }

    /** Nothing is copied: where the image has nothing of its own, it shows the new file. */
    private Deed rebasedUnsafely(Side doer) {
        return new Deed.Work(doer + " rebase -u", () -> {
            BackingFile next = oneIn(3) ? null : nextBacking();
            Extents own = extents(image.command(List.of("map", "--output=json")));
            List<String> words = new ArrayList<>(List.of("rebase", "-u", "-b"));
            words.addAll(next == null ? List.of("") : List.of(next.path.toString(), "-F", next.format));
            shell.run(doer, image.command(words)).orFail();
            image.model.replaceDisk(own.above(next, image.model.disk()));
            image.backing = next;
            image.endIsUnclean = true;
        });
    }

    private BackingFile nextBacking() {
        ImageFeatures.Backing length = ImageFeatures.Backing.any(random);
        return Objects.requireNonNull(files.chain(length, image.model.lengthBytes(), files.drawFormat()));
    }

    private Extents extents(List<String> words) {
        return Extents.parse(shell.runBoth(words).orFail().output());
    }
}
