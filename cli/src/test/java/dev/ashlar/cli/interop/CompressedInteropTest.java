package dev.ashlar.cli.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.cli.Main;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code convert -c} both ways: what one program compresses the other reads, checks and finds equal. Seed by {@code ashlar.interop.seed}. */
@RequiresQemu
class CompressedInteropTest {
    private static final long SEED = Long.getLong("ashlar.interop.seed", 1_000_000);

    @ParameterizedTest(name = "cluster_size={0}, {1}, {2}")
    @CsvSource({
        "512, zlib, compat=1.1",
        "512, zstd, refcount_bits=2",
        "1k, zstd, compat=1.1",
        "2k, zlib, compat=0.10",
        "4k, zlib, refcount_bits=1",
        "8k, zstd, compat=1.1",
        "16k, zlib, compat=1.1",
        "32k, zstd, refcount_bits=64",
        "64k, zlib, compat=1.1",
        "64k, zstd, compat=1.1",
        "128k, zlib, compat=0.10",
        "256k, zstd, compat=1.1",
        "512k, zlib, compat=1.1",
        "1M, zstd, compat=1.1",
        "2M, zlib, compat=1.1",
        "2M, zstd, compat=1.1"
    })
    void convertBothWays(String clusterSize, String type, String more, @ScratchDir Path directory) throws IOException {
        Path raw = directory.resolve("raw");
        write(raw, new Random(SEED), clusterSize.endsWith("M") ? 9 << 20 : 3 << 20);
        String options = "cluster_size=" + clusterSize + ",compression_type=" + type + "," + more;
        Path ours = directory.resolve("ours.qcow2");
        Path theirs = directory.resolve("theirs.qcow2");
        String[] words = {"convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, raw.toString()};
        ashlar(0, with(words, ours.toString()));
        QemuTools.img(with(words, theirs.toString())).orFail();
        for (Path image : List.of(ours, theirs)) {
            String message = image.getFileName() + ", -Dashlar.interop.seed=" + SEED;
            QemuTools.requireClean(image);
            QemuTools.img("compare", "-f", "raw", "-F", "qcow2", raw.toString(), image.toString())
                    .orFail();
            assertTrue(ashlar(0, "check", image.toString()).contains("No errors were found on the image."), message);
            String compared = ashlar(0, "compare", "-f", "raw", "-F", "qcow2", raw.toString(), image.toString());
            assertEquals("Images are identical.\n", compared, message);
        }
        assertEquals(compressed(theirs), compressed(ours), "-Dashlar.interop.seed=" + SEED);
        // ours is no larger than theirs, but for a cluster or two at the end
        long slack = 2L * (clusterSize.endsWith("M") ? 2 << 20 : 512 << 10);
        assertTrue(Files.size(ours) <= Files.size(theirs) + slack, Files.size(ours) + " and " + Files.size(theirs));
    }

    /** The statistics of the real check: what is allocated and compressed. */
    private static String compressed(Path image) {
        String output = QemuTools.img("check", image.toString()).output();
        return output.lines()
                .filter(line -> line.contains("compressed"))
                .findFirst()
                .orElse(output)
                .replaceAll(", [^,]*fragmented", "");
    }

    private static String[] with(String[] words, String last) {
        List<String> all = new ArrayList<>(List.of(words));
        all.add(last);
        return all.toArray(String[]::new);
    }

    private static String ashlar(int status, String... words) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int ended = Main.run("ashlar", words, new ByteArrayInputStream(new byte[0]), out, err);
        assertEquals(status, ended, () -> String.join(" ", words) + ": " + err.toString(StandardCharsets.UTF_8));
        return out.toString(StandardCharsets.UTF_8);
    }

    private static void write(Path raw, Random random, int lengthBytes) throws IOException {
        byte[] bytes = new byte[lengthBytes + 512 * 3];
        for (int at = 0; at < bytes.length; ) {
            int run = Math.min(1 + random.nextInt(300_000), bytes.length - at);
            int kind = random.nextInt(5);
            for (int i = at; i < at + run && kind > 0; i++) {
                bytes[i] = (byte) (kind == 1 ? random.nextInt() : random.nextInt(1 + (1 << kind)));
            }
            at += run;
        }
        Files.write(raw, bytes);
    }
}
