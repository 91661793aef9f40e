package dev.ashlar.cli.interop;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A backing file that is longer than its overlay shows nothing when the overlay grows, or has zeros written over it. */
@RequiresQemu
class LongerBackingTest {
    private static final int BASE_BYTES = 1 << 20;
    private static final int OLD_BYTES = (300 << 10) + 512;
    private static final int NEW_BYTES = 900 << 10;

    private final Path directory;

    LongerBackingTest(@ScratchDir Path directory) throws Exception {
        this.directory = directory;
        byte[] bytes = new byte[BASE_BYTES];
        Arrays.fill(bytes, (byte) 7);
        Files.write(directory.resolve("base"), bytes);
    }

    private Path create(String options) {
        Path image = directory.resolve("disk.qcow2");
        QemuTools.img(
                        "create",
                        "-q",
                        "-f",
                        "qcow2",
                        "-o",
                        options,
                        "-b",
                        directory.resolve("base").toString(),
                        "-F",
                        "raw",
                        image.toString(),
                        "" + OLD_BYTES)
                .orFail();
        return image;
    }

    /** The end lies within a cluster and within a sub-cluster. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "compat=0.10",
                "compat=1.1",
                "compat=0.10,cluster_size=4096",
                "extended_l2=on",
                "compat=1.1,cluster_size=512",
                "extended_l2=on,cluster_size=16384"
            })
    void whatIsNewReadsAsZeros(String options) throws Exception {
        for (String mode : List.of("off", "metadata", "falloc", "full")) {
            Path image = create(options);
            // content in the last cluster, some of it shared with a snapshot
            QemuTools.io(image, "write -P 3 240k 8k", "write -P 4 " + (OLD_BYTES - 1024) + " 512");
            if (!options.contains("0.10")) {
                QemuTools.img("snapshot", "-c", "s", image.toString()).orFail();
            }
            List<String> words = new ArrayList<>(List.of("resize", "-q", "-f", "qcow2", "--preallocation=" + mode));
            words.addAll(List.of(image.toString(), "" + NEW_BYTES));
            assertEquals(
                    "", Side.ASHLAR.img(words.toArray(String[]::new)).orFail().errors());
            byte[] expected = new byte[NEW_BYTES];
            Arrays.fill(expected, 0, OLD_BYTES, (byte) 7);
            Arrays.fill(expected, 240 << 10, 248 << 10, (byte) 3);
            Arrays.fill(expected, OLD_BYTES - 1024, OLD_BYTES - 512, (byte) 4);
            assertArrayEquals(expected, QemuTools.content(image, directory).read(0, NEW_BYTES), options + ", " + mode);
            QemuTools.requireClean(image);
        }
    }

    /** Version 2 has no word for zeros, and the image does not name the file that stands behind it. */
    @ParameterizedTest
    @ValueSource(strings = {"0.10", "1.1"})
    void whatIsZeroedIsZeroBeforeAFileThatOptionsDescribe(String version) {
        Path image = directory.resolve("disk.qcow2");
        QemuTools.create(image, BASE_BYTES, "compat=" + version);
        String described = "driver=qcow2,file.driver=file,file.filename=" + image
                + ",backing.driver=raw,backing.file.driver=file,backing.file.filename=" + directory.resolve("base");
        String zero = "write -q -z -u 64k 128k";
        Side.ASHLAR
                .run(List.of("qemu-io", "--image-opts", "-c", zero, described))
                .orFail();
        for (Side side : Side.values()) {
            List<String> words = List.of(
                    "qemu-io",
                    "--image-opts",
                    "-r",
                    "-c",
                    "read -q -P 7 0 64k",
                    "-c",
                    "read -q -P 0 64k 128k",
                    "-c",
                    "read -q -P 7 192k 64k",
                    described);
            assertEquals("", side.run(words).orFail().output(), side + " " + version);
        }
        QemuTools.requireClean(image);
    }

    /** The same runs as the real program has after it has grown the same image. */
    @Test
    void theMapIsTheSame() throws Exception {
        for (String options : List.of("compat=1.1", "compat=1.1,cluster_size=4096")) {
            List<String> maps = new ArrayList<>();
            for (Side side : Side.values()) {
                Path image = create(options);
                side.img("resize", "-q", "-f", "qcow2", image.toString(), "" + NEW_BYTES)
                        .orFail();
                maps.add(Side.QEMU
                        .img("map", "--output=json", image.toString())
                        .orFail()
                        .output());
            }
            assertEquals(maps.get(1), maps.get(0), options);
        }
    }
}
