package dev.ashlar.cli.interop.differential;

import dev.ashlar.testkit.model.ByteModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** An image and what must be in it. What changes with its life stands here, what it was made with in {@link ImageFeatures}. */
final class TestedImage {
    final Path path;
    final ImageFeatures features;
    /** Null where it is not encrypted. */
    final @Nullable KeyRing keys;

    final Map<String, BitmapModel> bitmaps = new TreeMap<>();
    final MachineState machine = new MachineState();
    ByteModel model;
    boolean modern;
    int refcountBits;
    boolean lazyRefcounts;

    @Nullable
    BackingFile backing;

    /** The cluster that the disk ends in may hold something behind the end. */
    boolean endIsUnclean;

    /** For names that were never there before. */
    private int names;

    TestedImage(Path path, ImageFeatures features, @Nullable KeyRing keys) {
        this.path = path;
        this.features = features;
        this.keys = keys;
        model = new ByteModel(features.sizeBytes());
        modern = features.modern();
        refcountBits = features.refcountBits();
        lazyRefcounts = features.lazyRefcounts();
    }

    String newName(String prefix) {
        return prefix + names++;
    }

    /** New names are new to the other image, too. */
    void namesAfter(TestedImage other) {
        names = other.names;
    }

    /** Whether every reference of every snapshot fits into the refcounts, whatever shares host clusters. */
    boolean countsEverything() {
        return refcountBits >= 16;
    }

    boolean snapshotsAreAsLongAsTheDisk() {
        return model.snapshots().values().stream().allMatch(each -> each.lengthBytes() == model.lengthBytes());
    }

    /** Takes its files off the disk. */
    void delete() throws IOException {
        Files.delete(path);
        if (features.hasDataFile()) {
            Files.delete(ImageFeatures.dataFilePath(path));
        }
    }

    void write(long offset, byte[] content) {
        model.write(offset, content);
        touch(offset, content.length);
    }

    /** Fills with a byte value. */
    void fill(long offset, long lengthBytes, int pattern) {
        model.disk().fill(offset, lengthBytes, (byte) pattern);
        touch(offset, lengthBytes);
    }

    void createSnapshot(String name) {
        model.createSnapshot(name);
        machine.createSnapshot(name);
    }

    void applySnapshot(String name) {
        model.applySnapshot(name);
        machine.applySnapshot(name);
    }

    void deleteSnapshot(String name) {
        model.deleteSnapshot(name);
        machine.deleteSnapshot(name);
    }

    void resize(long lengthBytes) {
        model.resize(lengthBytes);
        machine.forget();
        bitmaps.values().forEach(each -> each.resize(lengthBytes));
    }

    /** Enabled bitmaps take down that a range was changed, whatever became of it. */
    void touch(long offset, long lengthBytes) {
        bitmaps.values().forEach(each -> each.touch(offset, lengthBytes));
    }

    /** A command line of {@code qemu-img} on this image. @param words the subcommand and its options */
    List<String> command(List<String> words) {
        return command(words, "");
    }

    /**
     * The same with options of its node.
     *
     * @param nodeOptions key=value words, each with a comma in front; with some the image is described instead of named
     */
    List<String> command(List<String> words, String nodeOptions, String... behind) {
        List<String> line = new ArrayList<>(words);
        line.addAll(1, addressed(nodeOptions, !words.get(0).equals("snapshot")));
        line.add(name(nodeOptions));
        line.addAll(List.of(behind));
        return line;
    }

    /** The words by which a command finds the image, but for its name. */
    List<String> addressed(String nodeOptions, boolean takesFormat) {
        List<String> words = new ArrayList<>();
        if (keys != null) {
            words.addAll(keys.object());
        }
        if (isDescribed(nodeOptions)) {
            words.add("--image-opts");
        } else if (takesFormat) {
            words.addAll(List.of("-f", "qcow2"));
        }
        return words;
    }

    String name(String nodeOptions) {
        if (!isDescribed(nodeOptions)) {
            return path.toString();
        }
        String secret = keys == null ? "" : ",encrypt.key-secret=" + KeyRing.ID;
        return "driver=qcow2,file.filename=" + path + secret + nodeOptions;
    }

    private boolean isDescribed(String nodeOptions) {
        return keys != null || !nodeOptions.isEmpty();
    }
}
