package dev.ashlar.cli.interop.differential;

import dev.ashlar.testkit.model.ByteModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** Makes the files that stand below images: raw ones, and qcow2 images with or without something below them in turn. */
final class BackingFiles {
    private static final int WRITES = 4;
    private static final int MAX_WRITE_SECTORS = 1000;
    private static final int SECTOR_BYTES = 512;

    private final Random random;
    private final Shell shell;

    BackingFiles(Random random, Shell shell) {
        this.random = random;
        this.shell = shell;
    }

    /** One that is as long as an image wants, which may have another below it. */
    BackingFile chain(ImageFeatures.Backing length, long imageBytes, String format) {
        BackingFile below = format.equals("qcow2") && random.nextInt(3) == 0
                ? create(drawLength(ImageFeatures.Backing.any(random), imageBytes), drawFormat(), null)
                : null;
        return create(drawLength(length, imageBytes), format, below);
    }

    String drawFormat() {
        return random.nextBoolean() ? "qcow2" : "raw";
    }

    private long drawLength(ImageFeatures.Backing length, long imageBytes) {
        return Math.max(
                SECTOR_BYTES,
                switch (length) {
                    case SHORTER -> imageBytes / 2 / SECTOR_BYTES * SECTOR_BYTES;
                    case LONGER -> imageBytes + (long) SECTOR_BYTES * (1 + random.nextInt(3000));
                    default -> imageBytes;
                });
    }

    private BackingFile create(long sizeBytes, String format, @Nullable BackingFile below) {
        Path file = shell.newFile("base");
        List<String> words = new ArrayList<>(List.of("create", "-q", "-f", format));
        if (below != null) {
            words.addAll(List.of("-b", below.path.toString(), "-F", below.format));
        }
        words.addAll(List.of(file.toString(), Long.toString(sizeBytes)));
        shell.run(shell.drawSide(), words).orFail();
        ByteModel model = below == null ? new ByteModel(sizeBytes) : new ByteModel(below.shownTo(sizeBytes));
        List<String> writes = new ArrayList<>(List.of("qemu-io", "-f", format));
        for (int i = 0; i < WRITES; i++) {
            long at = random.nextLong(sizeBytes / SECTOR_BYTES) * SECTOR_BYTES;
            long count = Math.min(sizeBytes - at, (long) SECTOR_BYTES * (1 + random.nextInt(MAX_WRITE_SECTORS)));
            int pattern = random.nextInt(256);
            model.disk().fill(at, count, (byte) pattern);
            writes.addAll(List.of("-c", "write -P " + pattern + " " + at + " " + count));
        }
        writes.add(file.toString());
        shell.run(shell.drawSide(), writes).orFail();
        return new BackingFile(file, format, model.disk(), below);
    }
}
