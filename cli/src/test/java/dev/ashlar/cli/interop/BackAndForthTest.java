package dev.ashlar.cli.interop;

import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.model.DiskExpectation;
import dev.ashlar.testkit.model.DiskHistory;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Images that go back and forth between Ashlar and the real programs: after each turn both read the same bytes as the model, of the disk and of every snapshot, and {@code
 * qemu-img check} finds neither an error nor a leak. Turns by the property {@code ashlar.interop.turns}, seed by {@code ashlar.interop.seed}.
 */
@RequiresQemu
class BackAndForthTest {
    static final int TURNS = Integer.getInteger("ashlar.interop.turns", 4);
    static final long SEED = Long.getLong("ashlar.interop.seed", 1_000_000);
    private static final int STEPS = 14;

    @ParameterizedTest(name = "clusters of {0}, compat {1}, {2}, direct {3}")
    @CsvSource({
        "512, 1.1, ashlar, false",
        "1024, 0.10, qemu, false",
        "2048, 1.1, qemu, false",
        "4096, 1.1, ashlar, true",
        "8192, 0.10, ashlar, true",
        "65536, 1.1, qemu, true",
        "65536, 0.10, ashlar, false",
        "262144, 1.1, ashlar, true",
        "2097152, 1.1, qemu, true",
    })
    void imageIsOneForBoth(int clusterBytes, String compat, String creator, boolean direct, @ScratchDir Path directory)
            throws Exception {
        Path image = directory.resolve("disk.qcow2");
        long size = Math.max(clusterBytes * 12L, 300 << 10) + 512 * 5;
        if (creator.equals("qemu")) {
            QemuTools.create(image, size, "cluster_size=" + clusterBytes, "compat=" + compat);
        } else {
            AshlarDisk.create(image, size, Map.of("cluster_size", Integer.toString(clusterBytes), "compat", compat));
        }
        QemuTools.requireClean(image);
        boolean modern = compat.equals("1.1");
        turns(
                image,
                new ByteModel(size),
                new Random(SEED + clusterBytes),
                direct,
                turn -> new Step.Menu(clusterBytes, modern, true, modern ? size * 3 : 0, "t" + turn + "x"));
    }

    @Test
    void snapshotsAndBackingFileOfQemu(@ScratchDir Path directory) throws Exception {
        Path base = directory.resolve("base.qcow2");
        Path image = directory.resolve("top.qcow2");
        long size = 3 << 20;
        ByteModel model = new ByteModel(size);
        QemuDisk qemuBase = new QemuDisk(base);
        QemuTools.create(base, size);
        qemuBase.run(apply(model, new Step.Write(0, 1 << 20, 17), new Step.Write(2 << 20, 300 << 10, 18)));
        QemuTools.create(image, size, "backing_file=" + base, "backing_fmt=qcow2");
        QemuDisk qemu = new QemuDisk(image);
        qemu.run(apply(
                model,
                new Step.Write(100 << 10, 200 << 10, 21),
                new Step.Create("first"),
                new Step.Write(64 << 10, 64 << 10, 22),
                new Step.Zero(2 << 20, 128 << 10),
                new Step.Create("second"),
                new Step.Write(0, 3 << 20, 23),
                new Step.Create("third"),
                new Step.Write(1 << 20, 5 << 10, 24)));
        try (AshlarDisk disk = AshlarDisk.readWrite(image, true)) {
            requireEqual("as qemu made it", model, disk.found());
        }
        turns(image, model, new Random(SEED), true, turn -> new Step.Menu(65536, true, true, 0, "t" + turn + "x"));
        QemuTools.requireClean(base);
    }

    @Test
    void compressedClusters(@ScratchDir Path directory) throws Exception {
        long size = 2 << 20;
        Path plain = directory.resolve("plain.qcow2");
        Path image = directory.resolve("compressed.qcow2");
        QemuTools.create(plain, size);
        ByteModel model = new ByteModel(size);
        QemuDisk qemu = new QemuDisk(plain);
        qemu.run(apply(
                model,
                new Step.Write(0, 700_416, 33),
                new Step.Write(5 << 10, 4096, 34),
                new Step.Write(1 << 20, 600 << 10, 35)));
        QemuTools.img("convert", "-c", "-f", "qcow2", "-O", "qcow2", plain.toString(), image.toString())
                .orFail();
        turns(image, model, new Random(SEED), false, turn -> new Step.Menu(65536, true, true, 0, "t" + turn + "x"));
    }

    private static List<Step> apply(ByteModel model, Step... steps) {
        DiskHistory history = new DiskHistory(model);
        for (Step step : steps) {
            step.begin(history);
            history.completed();
        }
        return List.of(steps);
    }

    @FunctionalInterface
    interface MenuOfTurn {
        Step.Menu menu(int turn);
    }

    static void turns(Path image, ByteModel start, Random random, boolean direct, MenuOfTurn menus) throws Exception {
        ByteModel model = start;
        List<String> told = new ArrayList<>();
        try {
            for (int turn = 0; turn < TURNS; turn++) {
                List<Step> steps = menus.menu(turn).draw(random, model, STEPS);
                told.add("ashlar: " + steps);
                try (AshlarDisk disk = AshlarDisk.readWrite(image, direct)) {
                    for (Step step : steps) {
                        disk.run(step);
                    }
                    model = model.fork();
                    apply(model, steps.toArray(Step[]::new));
                    requireEqual("ashlar after its own turn", model, disk.found());
                }
                QemuTools.requireClean(image);
                requireEqual("qemu after ashlar's turn", model, new QemuDisk(image).found());

                steps = menus.menu(turn + TURNS).draw(random, model, STEPS);
                told.add("qemu: " + steps);
                new QemuDisk(image).run(steps);
                apply(model, steps.toArray(Step[]::new));
                try (AshlarDisk disk = AshlarDisk.readWrite(image, direct)) {
                    requireEqual("ashlar after qemu's turn", model, disk.found());
                }
                QemuTools.requireClean(image);
            }
        } catch (Exception | AssertionError e) {
            throw new AssertionError(
                    "-Dashlar.interop.seed=" + SEED + ": " + e.getMessage() + "\n" + String.join("\n", told), e);
        }
    }

    private static void requireEqual(String who, ByteModel model, DiskExpectation.Found found) {
        String mismatch = new DiskExpectation(List.of(DiskExpectation.World.of(model))).mismatch(found);
        if (!mismatch.isEmpty()) {
            throw new AssertionError(who + ": " + mismatch);
        }
    }
}
