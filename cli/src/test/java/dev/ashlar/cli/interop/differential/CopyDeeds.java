package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.interop.Side;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.model.ByteModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The disk, or a snapshot, copied into another file by {@code convert} or {@code dd}. The copy is looked at like the image itself, and may take its place. */
final class CopyDeeds extends DeedFamily {
    private final Shell shell;
    private final Consumer<TestedImage> successor;

    CopyDeeds(Random random, TestedImage image, Shell shell, Consumer<TestedImage> successor) {
        super(random, image);
        this.shell = shell;
        this.successor = successor;
    }

    @Override
    @Nullable
    Deed draw(Side doer) {
        if (image.model.lengthBytes() == 0) {
            return null;
        }
        return switch (random.nextInt(4)) {
            case 0 -> new Deed.Work(doer + " convert to raw", () -> convertToRaw(doer));
            case 1 -> new Deed.Work(doer + " dd", () -> dd(doer));
            default -> new Deed.Work(doer + " convert to qcow2", () -> convertToQcow2(doer));
        };
    }

    private List<String> converting() {
        List<String> words = new ArrayList<>(List.of("convert"));
        if (random.nextBoolean()) {
            words.addAll(List.of("-m", Integer.toString(1 + random.nextInt(16))));
        }
        if (oneIn(4)) {
            words.addAll(List.of("-S", any(List.of("0", "512", "64k", "1M"))));
        }
        if (oneIn(4)) {
            words.addAll(List.of("-t", any(List.of("none", "writeback", "unsafe"))));
        }
        return words;
    }

    /**
     * Chooses the disk or a snapshot, which comes in the length of the disk.
     *
     * @param anyLength whether the snapshot may have another
     */
    private SparseBytes drawSource(List<String> words, boolean anyLength) {
        List<String> names = image.model.snapshots().entrySet().stream()
                .filter(each -> anyLength || each.getValue().lengthBytes() == image.model.lengthBytes())
                .map(Map.Entry::getKey)
                .toList();
        if (names.isEmpty() || random.nextBoolean()) {
            return image.model.disk();
        }
        String name = any(names);
        words.addAll(List.of("-l", random.nextBoolean() ? name : "snapshot.name=" + name));
        return image.model.snapshot(name);
    }

    private void convertToRaw(Side doer) throws IOException {
        List<String> words = converting();
        SparseBytes content = drawSource(words, true);
        if (random.nextBoolean()) {
            words.add("-W");
        }
        Path target = shell.newFile("copy");
        words.addAll(List.of("-O", "raw"));
        shell.run(doer, image.command(words, drawNodeOptions(), target.toString()))
                .orFail();
        requireSame(content, SparseBytes.of(target));
        Files.delete(target);
    }

    /** Compares as far as both go: a snapshot that is longer than the disk is cut, and what a shorter one goes on with is nobody's business. */
    private static void requireSame(SparseBytes expected, SparseBytes found) {
        SparseBytes left = expected.fork();
        SparseBytes right = found.fork();
        long common = Math.min(expected.lengthBytes(), found.lengthBytes());
        left.setLengthBytes(common);
        right.setLengthBytes(common);
        long at = left.firstDifference(right);
        if (at >= 0) {
            throw new AssertionError("the copy differs at " + at);
        }
    }

    private void convertToQcow2(Side doer) throws IOException {
        List<String> words = converting();
        SparseBytes content = drawSource(words, false);
        boolean compressed = oneIn(3);
        ImageFeatures features = drawFeatures(doer, compressed).withSize(content.lengthBytes());
        Path target = shell.newFile("disk");
        KeyRing keys = features.encrypted() ? new KeyRing(shell.directory(), random) : null;
        TestedImage copy = new TestedImage(target, features, keys);
        copy.model = new ByteModel(content.fork());
        copy.namesAfter(image);
        words.add(compressed ? "-c" : random.nextBoolean() ? "-W" : "-q");
        if (keys != null) {
            words.addAll(keys.object());
        }
        if (image.backing != null && features.canHaveBacking() && random.nextBoolean()) {
            words.addAll(List.of("-B", image.backing.path.toString(), "-F", image.backing.format));
            copy.backing = image.backing;
        }
        boolean bitmaps = content == image.model.disk() && image.modern && features.modern() && random.nextBoolean();
        if (bitmaps) {
            words.add("--bitmaps");
            image.bitmaps.forEach((name, model) -> copy.bitmaps.put(name, model.copy()));
        }
        words.addAll(List.of("-O", "qcow2", "-o", features.options(target)));
        shell.run(doer, image.command(words, drawNodeOptions(), target.toString()))
                .orFail();
        new ImageAgreement(copy, shell).ofEverything(List.of());
        if (random.nextBoolean()) {
            successor.accept(copy);
        } else {
            copy.delete();
        }
    }

    /**
     * What the copy is made with. Nothing is compressed into a data file, into an encrypted disk or into what is allocated ahead; where the real program allocates
     * ahead on an encrypted disk, it reads noise; and one command has one passphrase.
     */
    private ImageFeatures drawFeatures(Side doer, boolean compressed) {
        while (true) {
            ImageFeatures features = ImageFeatures.draw(random);
            boolean ahead = !features.preallocation().equals("off");
            if (compressed && (features.hasDataFile() || ahead || features.encrypted())
                    || features.encrypted() && (image.keys != null || doer == Side.QEMU)) {
                continue;
            }
            return features;
        }
    }

    /** Whole blocks after some that are skipped; blocks are counted from the start of the disk, those that are skipped too. */
    private void dd(Side doer) throws IOException {
        long length = image.model.lengthBytes();
        long blockBytes = (long) SECTOR_BYTES << random.nextInt(12);
        long skip = oneIn(3) ? 0 : random.nextLong(Math.ceilDiv(length, blockBytes));
        long blocks = skip + 1 + random.nextLong(Math.ceilDiv(length, blockBytes) - skip);
        boolean counted = random.nextBoolean();
        long end = counted ? Math.min(length, blocks * blockBytes) : length;
        Path target = shell.newFile("copy");
        List<String> words = new ArrayList<>(List.of("dd"));
        words.addAll(image.addressed("", true));
        words.addAll(List.of("-O", "raw", "bs=" + blockBytes, "skip=" + skip));
        if (counted) {
            words.add("count=" + blocks);
        }
        words.addAll(List.of("if=" + image.name(""), "of=" + target));
        shell.run(doer, words).orFail();
        long from = skip * blockBytes;
        SparseBytes found = SparseBytes.of(target);
        if (found.lengthBytes() != end - from) {
            throw new AssertionError(found.lengthBytes() + " bytes instead of " + (end - from));
        }
        requireSame(SparseBytes.of(image.model.disk().read(from, (int) (end - from))), found);
        Files.delete(target);
    }
}
