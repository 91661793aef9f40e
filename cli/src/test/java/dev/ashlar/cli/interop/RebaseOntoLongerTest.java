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
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What reads as zeros only because a backing file ended there must not become what a longer one says. */
@RequiresQemu
class RebaseOntoLongerTest {
    private static final int DISK_BYTES = 8 << 20;
    private static final int OLD_BYTES = 100 << 10;

    private static void run(String... words) {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int status =
                Main.run("ashlar", words, InputStream.nullInputStream(), java.io.OutputStream.nullOutputStream(), err);
        assertEquals(0, status, () -> err.toString(StandardCharsets.UTF_8));
    }

    /** Where the old file ends inside a cluster, and where the new one has bytes in part of a cluster only. */
    @Test
    void zerosStayZeros(@ScratchDir Path directory) throws Exception {
        byte[] before = new byte[OLD_BYTES];
        Arrays.fill(before, (byte) 1);
        byte[] after = new byte[DISK_BYTES];
        Arrays.fill(after, (5 << 20) + 512, (5 << 20) + 7168, (byte) 2);
        Arrays.fill(after, OLD_BYTES + 512, 300 << 10, (byte) 3);
        Files.write(directory.resolve("old"), before);
        Files.write(directory.resolve("new"), after);
        Path image = directory.resolve("disk.qcow2");
        run(
                "create",
                "-q",
                "-f",
                "qcow2",
                "-b",
                directory.resolve("old").toString(),
                "-F",
                "raw",
                image.toString(),
                "" + DISK_BYTES);
        run("rebase", "-b", directory.resolve("new").toString(), "-F", "raw", image.toString());
        Path raw = directory.resolve("raw");
        run("convert", "-O", "raw", image.toString(), raw.toString());
        assertArrayEquals(Arrays.copyOf(before, DISK_BYTES), Files.readAllBytes(raw));
        QemuTools.requireClean(image);
    }

    /** Where there was no file, and nothing in the image but zeros that nobody wrote; version 2 has no word for zeros. */
    @ParameterizedTest
    @ValueSource(strings = {"compat=1.1", "compat=0.10", "compat=1.1,extended_l2=on"})
    void zerosStayZerosAboveTheFirstFile(String options, @ScratchDir Path directory) throws Exception {
        byte[] after = new byte[DISK_BYTES];
        Arrays.fill(after, OLD_BYTES + 512, 300 << 10, (byte) 3);
        Arrays.fill(after, (5 << 20) + 512, (5 << 20) + 7168, (byte) 2);
        Files.write(directory.resolve("new"), after);
        Path image = directory.resolve("disk.qcow2");
        run("create", "-q", "-f", "qcow2", "-o", options, image.toString(), "" + DISK_BYTES);
        QemuTools.io(image, "write -P 1 " + OLD_BYTES + " 1k", "discard 2M 1M");
        run("rebase", "-b", directory.resolve("new").toString(), "-F", "raw", image.toString());
        Path raw = directory.resolve("raw");
        QemuTools.img("convert", "-O", "raw", image.toString(), raw.toString()).orFail();
        byte[] expected = new byte[DISK_BYTES];
        Arrays.fill(expected, OLD_BYTES, OLD_BYTES + 1024, (byte) 1);
        assertArrayEquals(expected, Files.readAllBytes(raw));
        QemuTools.requireClean(image);
    }
}
