package dev.ashlar.cli.interop;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.host.Command;
import dev.ashlar.testkit.model.DiskExpectation;
import dev.ashlar.testkit.qemu.QemuTools;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Both programs' views of an image, compared with one another and with the model. */
record ImageAgreement(TestedImage image, Path scratch) {
    /** Both checks say the same of the image, and that is good. */
    void ofChecks() {
        Command.Result result = ofWords("check", "--output=json");
        if (result.exitCode() != 0
                || result.output().contains("leaks")
                || result.output().contains("\"corruptions")) {
            throw new AssertionError("check: " + result);
        }
    }

    /** {@code info} is the same in every word, and knows the bitmaps. */
    void ofFacts() {
        Command.Result result = ofWords("info", "--output=json");
        for (String name : image.bitmaps) {
            if (!result.output().contains("\"name\": \"" + name + "\"")) {
                throw new AssertionError("no bitmap " + name + ": " + result);
            }
        }
        String compat = "\"compat\": \"" + (image.modern ? "1.1" : "0.10") + "\"";
        String width = "\"refcount-bits\": " + image.refcountBits;
        if (!result.output().contains(compat) || !result.output().contains(width)) {
            throw new AssertionError("not " + compat + ", " + width + ": " + result);
        }
    }

    void ofMaps() {
        ofWords("map", "--output=json").orFail();
    }

    private Command.Result ofWords(String command, String output) {
        String[] words = {command, output, "-f", "qcow2", image.path.toString()};
        Command.Result ours = Side.ASHLAR.img(words);
        Command.Result theirs = Side.QEMU.img(words);
        if (ours.exitCode() != theirs.exitCode()
                || !ours.output().equals(theirs.output())
                || !ours.errors().equals(theirs.errors())) {
            throw new AssertionError(command + " differs: " + ours + theirs);
        }
        return theirs;
    }

    /**
     * The bytes of the disk and of all snapshots by Ashlar, of the disk and some snapshots by the real program.
     *
     * @param names the snapshots that the real program reads
     */
    void ofContents(List<String> names) {
        DiskExpectation expected = new DiskExpectation(List.of(DiskExpectation.World.of(image.model)));
        try (AshlarDisk disk = new AshlarDisk(image.path, OpenOptions.readOnly().format("qcow2"))) {
            require("ashlar", expected.mismatch(disk.found()));
        } catch (BlockException e) {
            throw new AssertionError("ashlar: " + e.getMessage(), e);
        }
        Map<String, SparseBytes> snapshots = new LinkedHashMap<>();
        Map<String, SparseBytes> models = new LinkedHashMap<>();
        for (String name : names) {
            snapshots.put(name, QemuTools.content(image.path, name, scratch));
            models.put(name, image.model.snapshot(name));
        }
        DiskExpectation some =
                new DiskExpectation(List.of(new DiskExpectation.World(List.of(image.model.disk()), models)));
        SparseBytes content = QemuTools.content(image.path, scratch);
        require("qemu", some.mismatch(new DiskExpectation.Found(content, snapshots, false)));
    }

    private static void require(String who, String mismatch) {
        if (!mismatch.isEmpty()) {
            throw new AssertionError(who + ": " + mismatch);
        }
    }
}
