package dev.ashlar.cli.interop;

import dev.ashlar.cli.interop.Deed.Ending;
import dev.ashlar.testkit.SparseBytes;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** Draws what is done next to an image, among all that makes sense on it as it is. */
final class DeedMenu {
    private static final int MAX_SNAPSHOTS = 4;
    private static final int MAX_BITMAPS = 3;
    /** With larger clusters qemu-img takes up to minutes for another refcount width: it looks at every count that the table could hold. */
    private static final int MAX_QUICK_AMEND_BITS = 14;

    private static final int SECTOR_BYTES = 512;
    private static final long MAX_BYTES = 10 << 20;

    private final Random random;
    private final TestedImage image;
    private final Noise noise;
    private Side side = Side.ASHLAR;

    /** A file of bytes that no codec makes smaller. */
    record Noise(Path file, byte[] content) {
        /** What {@code write -s} writes: the file again and again. */
        byte[] repeated(int lengthBytes) {
            byte[] result = new byte[lengthBytes];
            for (int at = 0; at < lengthBytes; at += content.length) {
                System.arraycopy(content, 0, result, at, Math.min(content.length, lengthBytes - at));
            }
            return result;
        }
    }

    DeedMenu(Random random, TestedImage image, Noise noise) {
        this.random = random;
        this.image = image;
        this.noise = noise;
    }

    /** @param doer who will do it: each has what only the other can do */
    Deed draw(Side doer) {
        side = doer;
        while (true) {
            Deed deed = random.nextInt(3) > 0 ? drawIo() : drawImg();
            if (deed != null) {
                return deed;
            }
        }
    }

    private @Nullable Deed drawIo() {
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
            return drawCompressed(length);
        }
        if (kind < 6) {
            return drawDiscard(length);
        }
        long at = random.nextLong(length / SECTOR_BYTES) * SECTOR_BYTES;
        long most = Math.max(cluster * 3L, 16 << 10) / SECTOR_BYTES;
        if (random.nextInt(3) == 0) {
            at = at / cluster * cluster;
        }
        long count = Math.min(length - at, SECTOR_BYTES * (1 + random.nextLong(most)));
        if (random.nextInt(4) == 0) {
            count = Math.min(length - at, Math.max(1, count / cluster) * cluster);
        }
        String range = at + " " + count;
        long offset = at;
        long lengthBytes = count;
        return switch (kind) {
            case 6, 7, 8 -> new Deed.Io("write -z -u " + range, () -> image.model.writeZeroes(offset, lengthBytes));
            case 9 -> new Deed.Io("write -z " + range, () -> image.model.writeZeroes(offset, lengthBytes));
            default -> write("write", offset, (int) lengthBytes);
        };
    }

    private Deed write(String command, long offset, int lengthBytes) {
        if (random.nextInt(3) == 0) {
            return new Deed.Io(
                    command + " -s " + noise.file() + " " + offset + " " + lengthBytes,
                    () -> image.model.write(offset, noise.repeated(lengthBytes)));
        }
        int pattern = 1 + random.nextInt(255);
        return new Deed.Io(
                command + " -P " + pattern + " " + offset + " " + lengthBytes,
                () -> image.model.disk().fill(offset, lengthBytes, (byte) pattern));
    }

    /** qemu-io compresses into clusters only that have none: they are given up first, which version 2 cannot do above a backing file. */
    private @Nullable Deed drawCompressed(long length) {
        boolean qemu = side == Side.QEMU;
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
        Deed written = write("write -c", at, count);
        String command = ((Deed.Io) written).command();
        return qemu ? new Deed.Io("write -z -u " + at + " " + count + "\n" + command, written.effect()) : written;
    }

    /** Version 2 has no zero clusters: above a backing file nothing is discarded. */
    private Deed drawDiscard(long length) {
        int cluster = image.features.clusterBytes();
        long at = random.nextLong(length) / cluster * cluster;
        long wanted = cluster * (1L + random.nextInt(6));
        long count = at + wanted >= length ? length - at : wanted;
        boolean zeroes = image.modern || image.backing == null;
        return new Deed.Io("discard " + at + " " + count, () -> {
            if (zeroes) {
                image.model.writeZeroes(at, count);
            }
        });
    }

    private @Nullable Deed drawImg() {
        return switch (random.nextInt(14)) {
            case 0, 1, 2, 3 -> drawSnapshot();
            case 4, 5, 6 -> drawResize();
            case 7, 8 -> drawAmend();
            case 9, 10, 11 -> drawBitmap();
            case 12 -> drawBackingChange();
            default -> drawRepair();
        };
    }

    /** qemu-img forgets all snapshots when it opens an image for a repair that has a bitmap in use, too. */
    private @Nullable Deed drawRepair() {
        if (side == Side.QEMU
                && !image.bitmaps.isEmpty()
                && !image.model.snapshots().isEmpty()) {
            return null;
        }
        String what = random.nextBoolean() ? "leaks" : "all";
        return img(Ending.DONE, () -> {}, "check", "-q", "-f", "qcow2", "-r", what);
    }

    private Deed img(Ending ending, Runnable effect, String... words) {
        List<String> all = new ArrayList<>(List.of(words));
        all.add(image.path.toString());
        return new Deed.Img(all, ending, effect);
    }

    private @Nullable Deed drawSnapshot() {
        List<String> names = List.copyOf(image.model.snapshots().keySet());
        Ending ending = image.countsEverything() ? Ending.DONE : Ending.DONE_OR_OVERFLOW;
        if (image.features.hasDataFile()) {
            return random.nextInt(4) > 0
                    ? null
                    : img(Ending.REFUSED, () -> {}, "snapshot", "-c", image.newName("refused"));
        }
        if (names.isEmpty() || names.size() < MAX_SNAPSHOTS && random.nextBoolean()) {
            String name = image.newName("s");
            return img(ending, () -> image.model.createSnapshot(name), "snapshot", "-c", name);
        }
        String name = names.get(random.nextInt(names.size()));
        boolean apply = random.nextBoolean();
        if (apply && !image.bitmaps.isEmpty()) {
            return img(Ending.REFUSED, () -> {}, "snapshot", "-a", name);
        }
        return apply
                ? img(ending, () -> image.model.applySnapshot(name), "snapshot", "-a", name)
                : img(Ending.DONE, () -> image.model.deleteSnapshot(name), "snapshot", "-d", name);
    }

    private @Nullable Deed drawResize() {
        long length = image.model.lengthBytes();
        boolean grow = random.nextBoolean();
        long wanted = grow
                ? Math.min(MAX_BYTES, length + SECTOR_BYTES * (1 + random.nextLong(3000)))
                : SECTOR_BYTES * (1 + random.nextLong(Math.max(1, length / SECTOR_BYTES)));
        boolean snapshots = !image.model.snapshots().isEmpty();
        if (!grow && (side == Side.QEMU || snapshots || image.features.hasDataFile())) {
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
        if (newLength > length && !canGrow()) {
            return null;
        }
        List<String> words = new ArrayList<>(List.of("resize", "-q", "-f", "qcow2"));
        if (wanted < length) {
            words.add("--shrink");
        } else if (side == Side.ASHLAR && image.backing == null && random.nextInt(3) == 0) {
            // the real program allocates without clearing: old bytes of the image file show in the new end
            words.add("--preallocation=" + List.of("metadata", "falloc", "full").get(random.nextInt(3)));
        }
        words.add(image.path.toString());
        words.add(Long.toString(wanted));
        boolean refused = snapshots && !image.modern;
        return new Deed.Img(
                words,
                refused ? Ending.REFUSED : Ending.DONE,
                refused ? () -> {} : () -> image.model.resize(newLength));
    }

    /** The real program cannot hide a longer backing file in sub-clusters of a last cluster that is compressed: "Failed to zero out new clusters". */
    private boolean canGrow() {
        return side == Side.ASHLAR || image.backing == null || !image.features.extendedL2();
    }

    private @Nullable Deed drawAmend() {
        return switch (random.nextInt(5)) {
            case 0 -> drawLazyRefcounts();
            case 1, 2 -> drawWidth();
            case 3 -> drawAmendedSize();
            default -> drawVersion();
        };
    }

    private @Nullable Deed drawLazyRefcounts() {
        boolean lazy = random.nextBoolean();
        return image.modern
                ? amend(Ending.DONE, () -> image.lazyRefcounts = lazy, "lazy_refcounts=" + (lazy ? "on" : "off"))
                : null;
    }

    private @Nullable Deed drawWidth() {
        int bits = 1 << random.nextInt(7);
        boolean slow = image.features.clusterBits() > MAX_QUICK_AMEND_BITS;
        if (!image.modern || slow && side == Side.QEMU) {
            return null;
        }
        Ending ending = bits >= 16 ? Ending.DONE : Ending.DONE_OR_OVERFLOW;
        return amend(ending, () -> image.refcountBits = bits, "refcount_bits=" + bits);
    }

    /** Another size, and sometimes another version or width with it. */
    private @Nullable Deed drawAmendedSize() {
        long length = image.model.lengthBytes();
        long wanted = Math.min(MAX_BYTES, length + SECTOR_BYTES * (1 + random.nextLong(3000)));
        boolean v2 = !image.modern;
        if (wanted == length
                || !canGrow()
                || v2 && (image.backing != null || !image.model.snapshots().isEmpty())) {
            return null;
        }
        String more = v2 && random.nextBoolean() ? "compat=1.1,lazy_refcounts=on," : "";
        return amend(
                Ending.DONE,
                () -> {
                    image.model.resize(wanted);
                    image.modern |= !more.isEmpty();
                    image.lazyRefcounts |= !more.isEmpty();
                },
                more + "size=" + wanted);
    }

    /**
     * Up or down. Down with snapshots the real program writes zeros over what other layers still read, and bitmaps are left behind by it as leaked clusters.
     */
    private @Nullable Deed drawVersion() {
        if (!image.modern) {
            return amend(Ending.DONE, () -> image.modern = true, "compat=1.1");
        }
        boolean easy = image.bitmaps.isEmpty() && image.model.snapshots().isEmpty();
        ImageFeatures features = image.features;
        if (features.extendedL2()
                || features.compressionType().equals("zstd")
                || image.refcountBits != 16
                || features.hasDataFile()
                || side == Side.QEMU && !easy) {
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
        return img(ending, effect, "amend", "-q", "-f", "qcow2", "-o", options);
    }

    private @Nullable Deed drawBitmap() {
        if (!image.modern) {
            return null;
        }
        List<String> names = List.copyOf(image.bitmaps);
        if (names.isEmpty() || names.size() < MAX_BITMAPS && random.nextInt(3) == 0) {
            String name = image.newName("b");
            String granularity = Integer.toString(512 << random.nextInt(10));
            return bitmap(() -> image.bitmaps.add(name), name, "--add", "-g", granularity);
        }
        String name = names.get(random.nextInt(names.size()));
        return switch (random.nextInt(5)) {
            case 0 -> bitmap(() -> image.bitmaps.remove(name), name, "--remove");
            case 1 -> bitmap(() -> {}, name, "--clear");
            case 2 -> bitmap(() -> {}, name, "--enable");
            case 3 -> bitmap(() -> {}, name, "--disable");
            default -> bitmap(() -> {}, name, "--merge", names.get(random.nextInt(names.size())));
        };
    }

    private Deed bitmap(Runnable effect, String name, String... action) {
        List<String> words = new ArrayList<>(List.of("bitmap", "-f", "qcow2"));
        words.addAll(List.of(action));
        words.add(image.path.toString());
        words.add(name);
        return new Deed.Img(words, Ending.DONE, effect);
    }

    /** The disk's content is as before; a snapshot's is not, where it shows the backing file. */
    private @Nullable Deed drawBackingChange() {
        if (image.backing == null || !image.model.snapshots().isEmpty()) {
            return null;
        }
        return random.nextBoolean()
                ? img(Ending.DONE, () -> {}, "commit", "-q", "-f", "qcow2")
                : img(Ending.DONE, () -> image.backing = null, "rebase", "-f", "qcow2", "-b", "");
    }

    /** Content of the model as seen above a backing file of this content. */
    static SparseBytes above(SparseBytes backing, long lengthBytes) {
        SparseBytes result = backing.fork();
        result.setLengthBytes(lengthBytes);
        return result;
    }
}
