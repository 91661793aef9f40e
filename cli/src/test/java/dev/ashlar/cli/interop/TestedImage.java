package dev.ashlar.cli.interop;

import dev.ashlar.testkit.model.ByteModel;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** An image and what must be in it. What changes with its life stands here, what it was made with in {@link ImageFeatures}. */
final class TestedImage {
    final Path path;
    final ImageFeatures features;
    ByteModel model;
    boolean modern;
    int refcountBits;
    boolean lazyRefcounts;

    @Nullable
    Path backing;

    final Set<String> bitmaps = new LinkedHashSet<>();
    /** For names that were never there before. */
    private int names;

    TestedImage(Path path, ImageFeatures features, ByteModel model) {
        this.path = path;
        this.features = features;
        this.model = model;
        modern = features.modern();
        refcountBits = features.refcountBits();
        lazyRefcounts = features.lazyRefcounts();
    }

    String newName(String prefix) {
        return prefix + names++;
    }

    /** Whether every reference of every snapshot fits into the refcounts, whatever shares host clusters. */
    boolean countsEverything() {
        return refcountBits >= 16;
    }

    boolean snapshotsAreAsLongAsTheDisk() {
        return model.snapshots().values().stream().allMatch(each -> each.lengthBytes() == model.lengthBytes());
    }
}
