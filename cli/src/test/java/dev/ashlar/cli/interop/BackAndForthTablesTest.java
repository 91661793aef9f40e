package dev.ashlar.cli.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** As {@link BackAndForthTest}, for images with sub-clusters and with external data files. */
@RequiresQemu
class BackAndForthTablesTest {
    @ParameterizedTest(name = "sub-clusters, clusters of {0}, {1}, direct {2}, backing {3}")
    @CsvSource({
        "16384, ashlar, true, false",
        "16384, qemu, false, true",
        "32768, qemu, true, false",
        "65536, ashlar, false, true",
        "65536, qemu, true, false",
        "262144, ashlar, true, true",
        "2097152, qemu, false, false",
        "2097152, ashlar, true, true",
    })
    void subClusters(int clusterBytes, String creator, boolean direct, boolean backed, @ScratchDir Path directory)
            throws Exception {
        Path image = directory.resolve("disk.qcow2");
        Path base = directory.resolve("base.raw");
        long size = Math.max(clusterBytes * 6L, 300 << 10) + 512 * 5;
        ByteModel model = new ByteModel(size);
        Map<String, String> options =
                new java.util.HashMap<>(Map.of("cluster_size", Integer.toString(clusterBytes), "extended_l2", "on"));
        if (backed) {
            byte[] content = new byte[(int) size];
            java.util.Arrays.fill(content, (byte) 99);
            Files.write(base, content);
            model.write(0, content);
            options.put("backing_file", base.toString());
            options.put("backing_fmt", "raw");
        }
        create(image, size, creator, options);
        BackAndForthTest.turns(
                image,
                model,
                new Random(BackAndForthTest.SEED + clusterBytes),
                direct,
                // qemu-io does not compress into a cluster that kept its space when parts of it were zeroed
                turn -> new Step.Menu(
                        clusterBytes, true, true, turn < BackAndForthTest.TURNS, size * 2, "t" + turn + "x"));
    }

    @ParameterizedTest(name = "data file, raw {0}, sub-clusters {1}, {2}, direct {3}")
    @CsvSource({
        "false, false, ashlar, true",
        "false, true, qemu, true",
        "true, false, qemu, false",
        "true, true, ashlar, true",
        "true, false, ashlar, true",
    })
    void dataFile(boolean raw, boolean extendedL2, String creator, boolean direct, @ScratchDir Path directory)
            throws Exception {
        Path image = directory.resolve("disk.qcow2");
        Path data = directory.resolve("disk.data");
        long size = 20L * 65536;
        create(
                image,
                size,
                creator,
                Map.of(
                        "data_file", data.toString(),
                        "data_file_raw", raw ? "on" : "off",
                        "extended_l2", extendedL2 ? "on" : "off"));
        BackAndForthTest.turns(
                image,
                new ByteModel(size),
                new Random(BackAndForthTest.SEED),
                direct,
                turn -> new Step.Menu(65536, true, false, false, size * 3, ""));
        if (raw) {
            assertEquals(
                    "Images are identical.\n",
                    QemuTools.img("compare", "-f", "raw", "-F", "qcow2", data.toString(), image.toString())
                            .orFail()
                            .output()
                            .replace("Warning: Image size mismatch!\n", ""));
        }
    }

    private static void create(Path image, long size, String creator, Map<String, String> options) throws Exception {
        if (creator.equals("qemu")) {
            QemuTools.create(
                    image,
                    size,
                    options.entrySet().stream()
                            .map(option -> option.getKey() + "=" + option.getValue())
                            .toArray(String[]::new));
        } else {
            AshlarDisk.create(image, size, options);
        }
        QemuTools.requireClean(image);
    }
}
