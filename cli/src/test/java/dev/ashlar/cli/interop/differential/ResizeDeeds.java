package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.interop.Side;
import dev.ashlar.cli.interop.differential.Deed.Ending;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.host.Command;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** The disk grows, with each preallocation, and shrinks. */
final class ResizeDeeds extends DeedFamily {
    /** The real program counts on a file that ends with its last cluster in use, and gives up half-way where it is longer. */
    private static final String FILE_IS_LONGER = "Cannot use preallocation for shrinking files";

    private final Shell shell;

    ResizeDeeds(Random random, TestedImage image, Shell shell) {
        super(random, image);
        this.shell = shell;
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
        if (!grow && image.machine.isUsed() && (doer == Side.QEMU || snapshots)) {
            return null; // the real program, which does it where there are snapshots, leaks the state of a machine
        }
        if (!image.modern && image.backing != null) {
            return null; // what a longer backing file shows could not be hidden
        }
        if (newLength > length && !canGrow(image, doer)) {
            return null;
        }
        List<String> words = new ArrayList<>(List.of("resize", "-q"));
        boolean refused = snapshots && !image.modern;
        if (wanted < length) {
            words.add("--shrink");
        } else if (image.backing == null && oneIn(3)) {
            words.add("--preallocation=" + any(List.of("metadata", "falloc", "full")));
            if (doer == Side.QEMU && !refused) {
                return learned(words, length, newLength);
            }
        } else if (doer == Side.QEMU && readsNoise(image)) {
            return learned(words, length, newLength);
        }
        return new Deed.Img(
                image.command(words, drawNodeOptions(), Long.toString(wanted)),
                refused ? Ending.REFUSED : Ending.DONE,
                refused ? () -> {} : () -> image.resize(newLength));
    }

    /**
     * The real program allocates without clearing: what clusters held before they were freed shows in the new end, and on an encrypted disk noise. Whatever it is, from
     * then on it stays.
     */
    private Deed learned(List<String> words, long length, long newLength) {
        return new Deed.Work("qemu " + String.join(" ", words), () -> {
            Command.Result result =
                    shell.run(Side.QEMU, image.command(words, drawNodeOptions(), Long.toString(newLength)));
            if (result.errors().contains(FILE_IS_LONGER)) {
                shell.run(Side.ASHLAR, image.command(List.of("check", "-q", "-r", "leaks")))
                        .orFail();
                return;
            }
            result.orFail();
            image.resize(newLength);
            image.endIsUnclean = true;
            Path raw = shell.newFile("content");
            shell.run(Side.QEMU, image.command(List.of("convert", "-O", "raw"), "", raw.toString()))
                    .orFail();
            byte[] end = SparseBytes.of(raw).read(length, (int) (newLength - length));
            image.model.write(length, end);
            Files.delete(raw);
        });
    }

    /** What the real program allocates ahead, for a data file that is raw, on an encrypted disk. */
    static boolean readsNoise(TestedImage image) {
        return image.keys != null && image.features.dataFile() == ImageFeatures.DataFile.RAW;
    }

    /**
     * The real program cannot hide a longer backing file in sub-clusters of a last cluster that is compressed: "Failed to zero out new clusters". And what a last
     * cluster holds behind the end shows when the disk grows: what was copied there from a former, longer backing file, or was there when it was allocated ahead.
     */
    static boolean canGrow(TestedImage image, Side doer) {
        boolean aligned = image.model.lengthBytes() % image.features.clusterBytes() == 0;
        return doer == Side.ASHLAR
                || (image.backing == null || !image.features.extendedL2()) && (aligned || !image.endIsUnclean);
    }
}
