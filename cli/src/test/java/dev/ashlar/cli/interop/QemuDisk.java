package dev.ashlar.cli.interop;

import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.model.DiskExpectation;
import dev.ashlar.testkit.qemu.QemuTools;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The same operations done by the real programs. */
record QemuDisk(Path image) {
    void run(List<Step> steps) {
        List<String> commands = new ArrayList<>();
        for (Step step : steps) {
            switch (step) {
                case Step.Write write ->
                    commands.add("write -P " + write.pattern() + " " + write.offset() + " " + write.lengthBytes());
                case Step.WriteCompressed write -> {
                    // qemu-io compresses into clusters only that have none
                    commands.add("write -z -u " + write.offset() + " " + write.lengthBytes());
                    commands.add("write -c -P " + write.pattern() + " " + write.offset() + " " + write.lengthBytes());
                }
                // -z -u with whole clusters gives space back, as a discard does
                case Step.Zero zero -> commands.add("write -z -u " + zero.offset() + " " + zero.lengthBytes());
                case Step.Discard discard ->
                    commands.add("write -z -u " + discard.offset() + " " + discard.lengthBytes());
                case Step.Flush flush -> commands.add("flush");
                case Step.Reopen reopen -> runIo(commands);
                case Step.Create create -> {
                    runIo(commands);
                    img("snapshot", "-c", create.name(), image.toString());
                }
                case Step.Apply apply -> {
                    runIo(commands);
                    img("snapshot", "-a", apply.name(), image.toString());
                }
                case Step.Delete delete -> {
                    runIo(commands);
                    img("snapshot", "-d", delete.name(), image.toString());
                }
                case Step.Grow grow -> {
                    runIo(commands);
                    img("resize", "-q", "-f", "qcow2", image.toString(), Long.toString(grow.lengthBytes()));
                }
            }
        }
        runIo(commands);
    }

    private static void img(String... arguments) {
        QemuTools.img(arguments).orFail();
    }

    private void runIo(List<String> commands) {
        if (!commands.isEmpty()) {
            QemuTools.io(image, commands.toArray(String[]::new));
            commands.clear();
        }
    }

    DiskExpectation.Found found() {
        return found(image.toAbsolutePath().getParent());
    }

    /** @param scratch for temporary files */
    DiskExpectation.Found found(Path scratch) {
        Map<String, SparseBytes> snapshots = new LinkedHashMap<>();
        for (String name : QemuTools.snapshotNames(image)) {
            snapshots.put(name, QemuTools.content(image, name, scratch));
        }
        return new DiskExpectation.Found(QemuTools.content(image, scratch), snapshots, false);
    }
}
