package dev.ashlar.cli.interop;

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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A data file that is longer than the disk even when that has grown: the disk grows all the same, and shows zeros, where QEMU 7.2 stops half-way. */
@RequiresQemu
class LongDataFileTest {
    @ParameterizedTest
    @ValueSource(strings = {"off", "metadata", "falloc", "full"})
    void growsWithinTheFile(String preallocation, @ScratchDir Path folder) throws Exception {
        Path image = folder.resolve("disk.qcow2");
        Path data = folder.resolve("disk.data");
        QemuTools.create(image, 1 << 20, "data_file=" + data);
        QemuTools.io(image, "write -P 7 0 1M");
        byte[] longer = new byte[4 << 20];
        Arrays.fill(longer, (byte) 7);
        Files.write(data, longer);
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        String[] words = {"resize", "-f", "qcow2", "-q", "--preallocation=" + preallocation, image.toString(), "2M"};
        int status = Main.run("qemu-img", words, InputStream.nullInputStream(), said, said);
        assertEquals(0, status, () -> said.toString(StandardCharsets.UTF_8));
        QemuTools.io(image, "read -P 7 0 1M", "read -P 0 1M 1M").orFail();
        QemuTools.requireClean(image);
        assertEquals(2 << 20, Files.size(data));
    }
}
