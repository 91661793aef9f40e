package dev.ashlar.cli.interop;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.cli.Main;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * Chains of images of any lengths, held against arrays of bytes: what a layer does not have is what the one below it says as far as that reaches, and zeros behind, whatever another
 * file has there. Another seed: {@code -Dashlar.chains.seed=N}; more rounds: {@code -Dashlar.chains.rounds=N}.
 */
@RequiresQemu
class ChainLengthsTest {
    private static final int SECTOR = 512;
    private static final int MAX_SECTORS = 900;
    private static final Pattern EXTENT = Pattern.compile(
            "\"start\": (\\d+), \"length\": (\\d+), \"depth\": \\d+, \"present\": \\w+, \"zero\": true");

    private final long seed = Long.getLong("ashlar.chains.seed", 1_000_000);
    private final Random random = new Random(seed);

    /** A layer of the chain in the file of its name. */
    private record Layer(String name, String format, byte[] content) {}

    private static String run(List<String> words) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int status = Main.run("ashlar", words.toArray(new String[0]), InputStream.nullInputStream(), out, err);
        assertEquals(0, status, () -> words + ": " + err.toString(StandardCharsets.UTF_8) + out);
        return out.toString(StandardCharsets.UTF_8);
    }

    private static String run(String... words) {
        return run(List.of(words));
    }

    @Test
    void whatEndsIsFollowedByZeros(@ScratchDir Path folder) throws Exception {
        int rounds = Integer.getInteger("ashlar.chains.rounds", 8);
        for (int round = 0; round < rounds; round++) {
            Path place = Files.createDirectory(folder.resolve("chain" + round));
            System.out.println("seed " + seed + ", round " + round);
            List<Layer> chain = chain(place);
            mapped(place, chain);
            copied(place, chain);
            rebased(copyOf(place, "rebased"), chain);
            committed(copyOf(place, "committed"), chain);
        }
    }

    /** The case that was wrong: the file in the middle ends, and the one below it does not. */
    @Test
    void aCopyKeepsTheZerosBehindAFileInTheMiddle(@ScratchDir Path folder) throws Exception {
        String low = folder.resolve("b1").toString();
        String top = folder.resolve("b3").toString();
        run("create", "-q", "-f", "qcow2", low, "1M");
        run("io", "-c", "write -P 3 0 1M", low);
        run(
                "create",
                "-q",
                "-f",
                "qcow2",
                "-b",
                "b1",
                "-F",
                "qcow2",
                folder.resolve("b2").toString(),
                "512k");
        run("create", "-q", "-f", "qcow2", "-b", "b2", "-F", "qcow2", top, "1M");
        run("io", "-c", "write -P 9 512k 64k", top);
        Path copy = folder.resolve("copy");
        run("convert", "-O", "qcow2", "-B", low, "-F", "qcow2", top, copy.toString());
        assertEquals(0, QemuTools.img("compare", top, copy.toString()).exitCode());
    }

    private List<Layer> chain(Path place) throws Exception {
        List<Layer> chain = new ArrayList<>();
        int layers = 2 + random.nextInt(3);
        for (int i = 0; i < layers; i++) {
            Layer below = i == 0 ? null : chain.get(i - 1);
            boolean raw = i == 0 && random.nextBoolean();
            int size = SECTOR * (1 + random.nextInt(MAX_SECTORS));
            Layer layer = new Layer(
                    "l" + i,
                    raw ? "raw" : "qcow2",
                    below == null ? new byte[size] : Arrays.copyOf(below.content, size));
            create(place, layer.name, layer.format, below, size);
            writeInto(place, layer, 4);
            chain.add(layer);
        }
        return chain;
    }

    private void create(Path place, String name, String format, Layer below, int size) {
        List<String> words = new ArrayList<>(List.of("create", "-q", "-f", format));
        if (format.equals("qcow2")) {
            words.addAll(List.of("-o", options()));
        }
        if (below != null) {
            words.addAll(List.of("-b", below.name, "-F", below.format));
        }
        words.addAll(List.of(place.resolve(name).toString(), "" + size));
        run(words);
    }

    private String options() {
        return switch (random.nextInt(4)) {
            case 0 -> "cluster_size=512";
            case 1 -> "cluster_size=4k";
            case 2 -> "extended_l2=on";
            default -> "cluster_size=64k";
        };
    }

    private void writeInto(Path place, Layer layer, int writes) {
        List<String> words = new ArrayList<>(List.of("io", "-f", layer.format));
        int sectors = layer.content.length / SECTOR;
        for (int i = 0; i < writes; i++) {
            int from = random.nextInt(sectors) * SECTOR;
            int length = Math.min(layer.content.length - from, SECTOR * (1 + random.nextInt(200)));
            int value = random.nextInt(3) == 0 ? 0 : 1 + random.nextInt(255);
            words.addAll(List.of("-c", (value == 0 ? "write -z " : "write -P " + value + " ") + from + " " + length));
            Arrays.fill(layer.content, from, from + length, (byte) value);
        }
        words.add(place.resolve(layer.name).toString());
        run(words);
    }

    private static Path copyOf(Path place, String name) throws Exception {
        Path copy = Files.createDirectory(place.resolve(name));
        try (var files = Files.list(place)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.copy(file, copy.resolve(file.getFileName()));
            }
        }
        return copy;
    }

    /** A file that begins with what the layer below the top shows, and goes on with bytes that nobody may see; or ends early where there are zeros only. */
    private Layer stranger(Path place, List<Layer> chain) throws Exception {
        byte[] below = chain.get(chain.size() - 2).content;
        byte[] content = Arrays.copyOf(below, below.length + SECTOR * random.nextInt(MAX_SECTORS));
        Arrays.fill(content, below.length, content.length, (byte) 0xee);
        Layer stranger = new Layer("stranger", "qcow2", content);
        Path raw = place.resolve("stranger.raw");
        Files.write(raw, content);
        run(
                "convert",
                "-f",
                "raw",
                "-O",
                "qcow2",
                "-o",
                options(),
                raw.toString(),
                place.resolve("stranger").toString());
        Files.delete(raw);
        return stranger;
    }

    private static Layer top(List<Layer> chain) {
        return chain.get(chain.size() - 1);
    }

    private static void requireContent(Path image, byte[] content) throws Exception {
        Path raw = image.resolveSibling(image.getFileName() + ".model");
        Files.write(raw, content);
        var result = QemuTools.img("compare", "-f", "qcow2", "-F", "raw", image.toString(), raw.toString());
        assertEquals(0, result.exitCode(), () -> image + ": " + result);
        Path own = image.resolveSibling(image.getFileName() + ".own");
        run("convert", "-f", "qcow2", "-O", "raw", image.toString(), own.toString());
        assertArrayEquals(content, Files.readAllBytes(own));
        run("compare", "-f", "qcow2", "-F", "raw", image.toString(), raw.toString());
        Files.delete(raw);
        Files.delete(own);
    }

    /** What the map calls zeros are zeros, and the map ends where the disk does. */
    private static void mapped(Path place, List<Layer> chain) throws Exception {
        Layer top = top(chain);
        Path image = place.resolve(top.name);
        requireContent(image, top.content);
        Matcher extents = EXTENT.matcher(run("map", "--output=json", image.toString()));
        byte[] zeros = new byte[top.content.length];
        while (extents.find()) {
            int start = Integer.parseInt(extents.group(1));
            int end = start + Integer.parseInt(extents.group(2));
            assertEquals(-1, Arrays.mismatch(top.content, start, end, zeros, start, end), extents::group);
        }
    }

    private void copied(Path place, List<Layer> chain) throws Exception {
        Layer top = top(chain);
        Layer stranger = stranger(place, chain);
        for (int way = 0; way < 4; way++) {
            Path copy = place.resolve("copy" + way);
            List<String> words = new ArrayList<>(List.of("convert", "-O", "qcow2"));
            switch (way) {
                case 0 -> words.addAll(List.of("-o", options()));
                case 1 -> words.addAll(List.of("-c", "-o", options()));
                case 2 -> words.addAll(List.of("-S", "0", "-W"));
                default -> {
                    create(place, "copy" + way, "qcow2", stranger, top.content.length);
                    words.add("-n");
                }
            }
            String base = place.resolve(stranger.name).toString();
            words.addAll(
                    List.of("-B", base, "-F", "qcow2", place.resolve(top.name).toString(), copy.toString()));
            run(words);
            requireContent(copy, top.content);
            Files.delete(copy);
        }
    }

    private void rebased(Path place, List<Layer> chain) throws Exception {
        Layer top = top(chain);
        stranger(place, chain);
        String image = place.resolve(top.name).toString();
        run("rebase", "-b", place.resolve("stranger").toString(), "-F", "qcow2", image);
        requireContent(place.resolve(top.name), top.content);
        run("rebase", "-b", place.resolve(chain.get(0).name).toString(), "-F", chain.get(0).format, image);
        requireContent(place.resolve(top.name), top.content);
        run("rebase", "-b", "", image);
        requireContent(place.resolve(top.name), top.content);
        QemuTools.requireClean(place.resolve(top.name));
    }

    /** Into any layer below: that one then shows what the top showed, followed by what it had itself. */
    private void committed(Path place, List<Layer> chain) throws Exception {
        Layer top = top(chain);
        Layer into = chain.get(random.nextInt(chain.size() - 1));
        String base = place.resolve(into.name).toString();
        run("commit", "-q", "-b", base, place.resolve(top.name).toString());
        byte[] expected = into.content.length > top.content.length ? into.content.clone() : top.content;
        System.arraycopy(top.content, 0, expected, 0, top.content.length);
        Path raw = place.resolve("result");
        run("convert", "-f", into.format, "-O", "raw", base, raw.toString());
        assertArrayEquals(expected, Files.readAllBytes(raw));
        QemuTools.requireClean(place.resolve(top.name));
    }
}
