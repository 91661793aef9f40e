package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.interop.AshlarDisk;
import dev.ashlar.cli.interop.Side;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.host.Command;
import dev.ashlar.testkit.model.DiskExpectation;
import dev.ashlar.testkit.qcow2.StoredBitmap;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** Both programs' views of an image, compared with one another and with the model. */
record ImageAgreement(TestedImage image, Shell shell) {
    /** @param names the snapshots that the real program reads */
    void ofEverything(List<String> names) {
        ofChecks();
        ofFacts();
        ofBitmaps();
        ofMachine();
        ofMaps();
        ofContents(names);
        ofBacking(image.backing);
    }

    /** Both checks say the same of the image, and that is good. */
    void ofChecks() {
        Command.Result result = ofWords("check", "--output=json");
        if (result.exitCode() != 0
                || result.output().contains("leaks")
                || result.output().contains("\"corruptions")) {
            throw new AssertionError("check: " + result);
        }
    }

    /** {@code info} is the same in every word, and knows version, width and passphrases. */
    void ofFacts() {
        Command.Result result = same(List.of("info", "--output=json", "-f", "qcow2", image.path.toString()));
        String compat = "\"compat\": \"" + (image.modern ? "1.1" : "0.10") + "\"";
        String width = "\"refcount-bits\": " + image.refcountBits;
        if (!result.output().contains(compat) || !result.output().contains(width)) {
            throw new AssertionError("not " + compat + ", " + width + ": " + result);
        }
        if (image.keys != null) {
            int active = result.output().split("\"active\": true", -1).length - 1;
            if (active != image.keys.slots().size()) {
                throw new AssertionError("not slots " + image.keys.slots().keySet() + ": " + result);
            }
        }
    }

    void ofMaps() {
        ofWords("map", "--output=json").orFail();
    }

    private Command.Result ofWords(String command, String output) {
        return same(image.command(List.of(command, output)));
    }

    private static Command.Result same(List<String> words) {
        String[] arguments = words.toArray(String[]::new);
        Command.Result ours = Side.ASHLAR.img(arguments);
        Command.Result theirs = Side.QEMU.img(arguments);
        if (ours.exitCode() != theirs.exitCode()
                || !ours.output().equals(theirs.output())
                || !ours.errors().equals(theirs.errors())) {
            throw new AssertionError(words.get(0) + " differs: " + ours + theirs);
        }
        return theirs;
    }

    /** The bits of every bitmap, as they stand in the file, are the model's. */
    void ofBitmaps() {
        Set<String> names = new TreeSet<>();
        try {
            for (StoredBitmap each : StoredBitmap.readAll(image.path)) {
                names.add(each.name());
                BitmapModel model = image.bitmaps.get(each.name());
                String mismatch = model == null ? "nobody added it" : model.mismatch(each);
                require("bitmap " + each.name(), mismatch);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (!names.equals(image.bitmaps.keySet())) {
            throw new AssertionError("bitmaps " + names + " instead of " + image.bitmaps.keySet());
        }
    }

    /** Both read the state of the machine as it was written. */
    void ofMachine() {
        List<String> reads = image.machine.reads();
        for (Side side : reads.isEmpty() ? new Side[0] : Side.values()) {
            List<String> words = new ArrayList<>(List.of("qemu-io", "-r"));
            words.addAll(image.addressed("", true));
            words.addAll(reads);
            words.add(image.name(""));
            Command.Result result = side.run(words).orFail();
            require(side + ", state", result.output().contains("failed") ? result.toString() : "");
        }
    }

    /**
     * The bytes of the disk and of all snapshots by Ashlar, of the disk and some snapshots by the real program.
     *
     * @param names the snapshots that the real program reads
     */
    void ofContents(List<String> names) {
        DiskExpectation expected = new DiskExpectation(List.of(DiskExpectation.World.of(image.model)));
        OpenOptions options = OpenOptions.readOnly().format("qcow2");
        KeyRing keys = image.keys;
        if (keys != null) {
            options = options.driverOptions(Map.of("encrypt.key-secret", KeyRing.ID));
        }
        try (AshlarDisk disk = new AshlarDisk(image.path, options, id -> keys == null ? new byte[0] : keys.secret())) {
            require("ashlar", expected.mismatch(disk.found()));
        } catch (BlockException e) {
            throw new AssertionError("ashlar: " + e.getMessage(), e);
        }
        Map<String, SparseBytes> snapshots = new LinkedHashMap<>();
        Map<String, SparseBytes> models = new LinkedHashMap<>();
        for (String name : names) {
            snapshots.put(name, content(Side.QEMU, image.command(converting("snapshot.name=" + name))));
            models.put(name, image.model.snapshot(name));
        }
        DiskExpectation some =
                new DiskExpectation(List.of(new DiskExpectation.World(List.of(image.model.disk()), models)));
        SparseBytes content = content(Side.QEMU, image.command(converting("")));
        require("qemu", some.mismatch(new DiskExpectation.Found(content, snapshots, false)));
    }

    /** The bytes of all that is below, by both. */
    void ofBacking(@Nullable BackingFile top) {
        for (BackingFile file = top; file != null; file = file.below) {
            for (Side side : Side.values()) {
                List<String> words = new ArrayList<>(converting(""));
                words.addAll(List.of("-f", file.format, file.path.toString()));
                long at = file.content.firstDifference(content(side, words));
                require(side + ", " + file.path.getFileName(), at < 0 ? "" : "differs at " + at);
            }
        }
    }

    private static List<String> converting(String snapshot) {
        return snapshot.isEmpty() ? List.of("convert", "-O", "raw") : List.of("convert", "-O", "raw", "-l", snapshot);
    }

    private SparseBytes content(Side side, List<String> words) {
        Path raw = shell.directory().resolve("content.raw");
        List<String> line = new ArrayList<>(words);
        line.add(raw.toString());
        side.img(line.toArray(String[]::new)).orFail();
        try {
            SparseBytes result = SparseBytes.of(raw);
            Files.delete(raw);
            return result;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void require(String who, String mismatch) {
        if (!mismatch.isEmpty()) {
            throw new AssertionError(who + ": " + mismatch);
        }
    }
}
