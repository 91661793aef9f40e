package dev.ashlar.cli.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Which of the space that an image gives up goes back to the host: {@code discard} of the node and the three {@code pass-discard} options of the format, for what the
 * guest discards, for what only a snapshot had, and for tables that moved. Observed as holes in the file, which the real program leaves in the same places.
 */
@RequiresQemu
class PassedDiscardsTest {
    private static final int CLUSTER_BYTES = 4096;
    private static final int L1_TABLE_OFFSET_FIELD = 40;
    private static final Pattern DATA = Pattern.compile(
            "\"start\": (\\d+), \"length\": (\\d+), \"depth\": 0, \"present\": true, \"zero\": false, \"data\": true");

    private final Path scratch;
    private final Path made;

    PassedDiscardsTest(@ScratchDir Path scratch) {
        this.scratch = scratch;
        made = scratch.resolve("made.qcow2");
    }

    /**
     * A disk of 64 MiB: 100 clusters of its own, 50 that a snapshot alone has, a bitmap.
     *
     * @param options the image's node, or "-d" and a mode for the program
     * @param passed what goes back: what the guest discards, what it makes zeros, what a snapshot or the disk before it had
     */
    @ParameterizedTest(name = "options: {0}")
    @CsvSource({
        "'',                                                            guest zeros snapshot",
        "'discard=unmap',                                               guest zeros snapshot",
        "'discard=ignore',                                              snapshot",
        "'discard=unmap,pass-discard-request=off',                      snapshot",
        "'discard=unmap,pass-discard-request=on',                       guest zeros snapshot",
        "'discard=unmap,pass-discard-snapshot=off',                     guest zeros",
        "'discard=unmap,pass-discard-other=on',                         guest zeros snapshot",
        "'discard=ignore,pass-discard-request=on',                      zeros snapshot",
        "'discard=unmap,pass-discard-request=off,pass-discard-snapshot=off', ''"
    })
    void holesAreWhereTheRealProgramLeavesThem(String options, String passed) throws IOException {
        QemuTools.create(made, 64 << 20, "cluster_size=" + CLUSTER_BYTES);
        QemuTools.io(made, "write -P 1 0 200k");
        QemuTools.img("snapshot", "-c", "s", made.toString()).orFail();
        QemuTools.io(made, "write -P 2 0 200k", "write -P 3 1M 400k");
        String opts = options.isEmpty() ? "" : "," + options;
        int guest = punched(opts, "qemu-io", "--image-opts", "-c", "discard 1028k 100k", "@");
        assertEquals(passed.contains("guest") ? 25 : 0, guest, "clusters that the guest discarded");
        int zeroed = punched(opts, "qemu-io", "--image-opts", "-c", "write -z -u 1028k 100k", "@");
        assertEquals(passed.contains("zeros") ? 25 : 0, zeroed, "clusters that the guest made zeros");
        int snapshot = punched(opts, "qemu-img", "snapshot", "--image-opts", "-d", "s", "@");
        assertEquals(passed.contains("snapshot"), snapshot >= 50, snapshot + " clusters of the snapshot");
        int applied = punched(opts, "qemu-img", "snapshot", "--image-opts", "-a", "s", "@");
        assertEquals(passed.contains("snapshot"), applied >= 150, applied + " clusters of the disk before");
    }

    /** An L1 table that grows out of its cluster leaves it behind. */
    @ParameterizedTest(name = "other: {0}")
    @CsvSource({"on, 1", "off, 0"})
    void oldTablesAreHolesWhereTheyMayBe(String other, int holes) throws IOException {
        QemuTools.create(made, 1 << 30, "cluster_size=" + CLUSTER_BYTES);
        QemuTools.io(made, "write -P 1 0 200k");
        String options = ",discard=unmap,pass-discard-other=" + other;
        assertEquals(holes, punched(options, "qemu-img", "resize", "-q", "--image-opts", "@", "3G"));
    }

    /** @return how many clusters of data became holes, the same for both */
    private int punched(String options, String... words) throws IOException {
        Set<Long> before = data(made);
        List<TreeSet<Long>> after = new ArrayList<>();
        for (Side side : Side.values()) {
            Path image = scratch.resolve("copy.qcow2");
            QemuTools.img("convert", "-f", "raw", "-O", "raw", made.toString(), image.toString())
                    .orFail();
            assertEquals(before, data(image), "a copy with the same holes");
            List<String> line = new ArrayList<>(List.of(words));
            line.set(line.indexOf("@"), "driver=qcow2,file.filename=" + image + options);
            side.run(line).orFail();
            QemuTools.requireClean(image);
            TreeSet<Long> gone = new TreeSet<>(before);
            gone.removeAll(data(image));
            after.add(gone);
            Files.delete(image);
        }
        List<String> said = List.of(words);
        TreeSet<Long> more = new TreeSet<>(after.get(Side.ASHLAR.ordinal()));
        more.removeAll(after.get(Side.QEMU.ordinal()));
        if (said.contains("-a")) {
            more.remove(
                    l1Table()); // a snapshot that is applied gets a new one here; the real program writes over the old
            // one
        }
        TreeSet<Long> less = new TreeSet<>(after.get(Side.QEMU.ordinal()));
        less.removeAll(after.get(Side.ASHLAR.ordinal()));
        assertEquals(
                List.of(List.of(), List.of()), List.of(List.copyOf(more), List.copyOf(less)), String.join(" ", said));
        return after.get(0).size();
    }

    private long l1Table() throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(made.toFile(), "r")) {
            file.seek(L1_TABLE_OFFSET_FIELD);
            return file.readLong() / CLUSTER_BYTES;
        }
    }

    /** Numbers of the clusters of a file that hold data, as the host tells. */
    private static Set<Long> data(Path file) {
        Set<Long> result = new TreeSet<>();
        Matcher matcher = DATA.matcher(QemuTools.img("map", "-f", "raw", "--output=json", file.toString())
                .orFail()
                .output());
        while (matcher.find()) {
            long start = Long.parseLong(matcher.group(1));
            for (long at = start; at < start + Long.parseLong(matcher.group(2)); at += CLUSTER_BYTES) {
                result.add(at / CLUSTER_BYTES);
            }
        }
        return result;
    }
}
