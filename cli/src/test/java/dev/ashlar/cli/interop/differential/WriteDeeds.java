package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.interop.Side;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** What a guest does with its disk: data, zeros, compressed data, discards, flushes. */
final class WriteDeeds extends DeedFamily {
    private final Noise noise;
    private Opening opening = Opening.PLAIN;

    WriteDeeds(Random random, TestedImage image, Noise noise) {
        super(random, image);
        this.noise = noise;
    }

    /** How the image is opened for what is drawn from now on. */
    void openedAs(Opening how) {
        opening = how;
    }

    @Override
    @Nullable
    Deed draw(Side doer) {
        long length = image.model.lengthBytes();
        if (length == 0) {
            return null;
        }
        int cluster = image.features.clusterBytes();
        int kind = random.nextInt(16);
        if (kind == 0) {
            return new Deed.Io("flush", () -> {});
        }
        if (kind < 4) {
            return drawCompressed(doer, length);
        }
        if (kind < 6) {
            return drawDiscard(length);
        }
        long at = random.nextLong(length / SECTOR_BYTES) * SECTOR_BYTES;
        long most = Math.max(cluster * 3L, 16 << 10) / SECTOR_BYTES;
        if (oneIn(3)) {
            at = at / cluster * cluster;
        }
        long count = Math.min(length - at, SECTOR_BYTES * (1 + random.nextLong(most)));
        if (oneIn(4)) {
            count = Math.min(length - at, Math.max(1, count / cluster) * cluster);
        }
        String range = at + " " + count;
        long offset = at;
        long lengthBytes = count;
        return switch (kind) {
            case 6, 7, 8 -> new Deed.Io("write -z -u " + range, () -> image.fill(offset, lengthBytes, 0));
            case 9 -> new Deed.Io("write -z " + range, () -> image.fill(offset, lengthBytes, 0));
            default -> write("write", offset, (int) lengthBytes);
        };
    }

    private Deed.Io write(String command, long offset, int lengthBytes) {
        if (oneIn(3)) {
            return new Deed.Io(
                    command + " -s " + noise.file() + " " + offset + " " + lengthBytes,
                    () -> image.write(offset, noise.repeated(lengthBytes)));
        }
        // zeros among them, which the node may find out
        int pattern = oneIn(6) ? 0 : random.nextInt(256);
        return new Deed.Io(
                command + " -P " + pattern + " " + offset + " " + lengthBytes,
                () -> image.fill(offset, lengthBytes, pattern));
    }

    /** qemu-io compresses into clusters only that have none: they are given up first, which version 2 cannot do above a backing file. */
    private @Nullable Deed drawCompressed(Side doer, long length) {
        boolean qemu = doer == Side.QEMU;
        if (image.features.hasDataFile() || qemu && !image.modern && image.backing != null) {
            return null;
        }
        int cluster = image.features.clusterBytes();
        long at = random.nextLong(length) / cluster * cluster;
        // of a cluster that the disk ends in qemu-io gives up single sub-clusters only
        long most = qemu && image.features.extendedL2() ? length / cluster * cluster : length;
        int count = (int) Math.min(most - at, cluster * (1L + random.nextInt(5)));
        if (count <= 0) {
            return null;
        }
        Deed.Io written = write("write -c", at, count);
        return qemu
                ? new Deed.Io("write -z -u " + at + " " + count + "\n" + written.command(), written.effect())
                : written;
    }

    /** Version 2 has no zero clusters: above a backing file nothing is discarded. */
    private Deed drawDiscard(long length) {
        int cluster = image.features.clusterBytes();
        long at = random.nextLong(length) / cluster * cluster;
        long wanted = cluster * (1L + random.nextInt(6));
        long count = at + wanted >= length ? length - at : wanted;
        boolean seen = opening.discards();
        boolean zeroes = image.modern || image.backing == null;
        return new Deed.Io("discard " + at + " " + count, () -> {
            if (seen && zeroes) {
                image.model.writeZeroes(at, count);
            }
            if (seen) {
                image.touch(at, count);
            }
        });
    }
}
