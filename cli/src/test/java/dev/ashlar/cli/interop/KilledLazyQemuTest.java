package dev.ashlar.cli.interop;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The real program works on an image with lazy refcounts and is killed (SIGKILL) when it has flushed: the image is dirty, its counts are as they were, and what was
 * flushed is here all the same: read as it is, and repaired by whoever opens it for writing. What becomes of such images when this program is killed is in {@link
 * KilledProcessTest}.
 */
@RequiresQemu
class KilledLazyQemuTest {
    private static final int DIRTY_BYTE = 79;
    private static final int SIZE = 4 << 20;
    private static final List<String> WORK = List.of(
            "write -P 1 0 1M",
            "write -P 2 1234k 100k",
            "write -P 3 3M 64k",
            "discard 512k 128k",
            "write -P 4 600k 8k",
            "flush",
            // says when the flush is done
            "read 0 512",
            "sleep 60000");

    private static byte[] content() {
        byte[] bytes = new byte[SIZE];
        Arrays.fill(bytes, 0, 1 << 20, (byte) 1);
        Arrays.fill(bytes, 1234 << 10, 1334 << 10, (byte) 2);
        Arrays.fill(bytes, 3 << 20, (3 << 20) + (64 << 10), (byte) 3);
        Arrays.fill(bytes, 512 << 10, 640 << 10, (byte) 0);
        Arrays.fill(bytes, 600 << 10, 608 << 10, (byte) 4);
        return bytes;
    }

    private static void workAndDie(Path image) throws IOException, InterruptedException {
        List<String> words = new ArrayList<>(List.of("stdbuf", "-oL", "qemu-io", "-d", "unmap", "-f", "qcow2"));
        for (String command : WORK) {
            words.addAll(List.of("-c", command));
        }
        words.add(image.toString());
        Process process = new ProcessBuilder(words).redirectErrorStream(true).start();
        try (BufferedReader output =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            StringBuilder said = new StringBuilder();
            for (String line = output.readLine(); line != null; line = output.readLine()) {
                said.append(line).append('\n');
                if (line.contains("read 512/512")) {
                    process.toHandle().destroyForcibly();
                    process.waitFor();
                    return;
                }
            }
            throw new AssertionError("the real program ended: " + said);
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    private static boolean isDirty(Path image) throws IOException {
        return (SparseBytes.of(image).read(DIRTY_BYTE, 1)[0] & 1) != 0;
    }

    private static byte[] read(BlockBackend disk) throws IOException {
        byte[] bytes = new byte[SIZE];
        disk.read(0, MemorySegment.ofArray(bytes));
        return bytes;
    }

    @ParameterizedTest(name = "clusters of {0}")
    @ValueSource(ints = {4096, 65536})
    void whatWasFlushedIsHere(int clusterBytes, @ScratchDir Path folder) throws Exception {
        Path image = folder.resolve("lazy.qcow2");
        QemuTools.create(image, SIZE, "lazy_refcounts=on", "cluster_size=" + clusterBytes);
        workAndDie(image);
        assertEquals(true, isDirty(image), "a killed program leaves the mark");
        byte[] expected = content();
        byte[] left = Files.readAllBytes(image);
        try (BlockGraph graph = BlockGraph.create()) {
            try (BlockBackend disk =
                    graph.open(image.toString(), OpenOptions.readOnly().format("qcow2"))) {
                assertArrayEquals(expected, read(disk));
            }
            assertArrayEquals(left, Files.readAllBytes(image), "a reader repairs nothing");
            try (BlockBackend disk =
                    graph.open(image.toString(), OpenOptions.readWrite().format("qcow2"))) {
                assertArrayEquals(expected, read(disk));
                // takes clusters, so the counts have to be right by now
                byte[] more = new byte[300 << 10];
                Arrays.fill(more, (byte) 5);
                disk.write(2 << 20, MemorySegment.ofArray(more));
                System.arraycopy(more, 0, expected, 2 << 20, more.length);
                disk.flush();
                assertArrayEquals(expected, read(disk));
            }
        }
        assertEquals(false, isDirty(image));
        QemuTools.requireClean(image);
        assertEquals(-1, SparseBytes.of(expected).firstDifference(QemuTools.content(image, folder)));
    }
}
