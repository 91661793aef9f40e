package dev.ashlar.cli.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.cli.Main;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A repair takes nothing away (the eighth of QEMU's weaknesses in RELIABILITY.md: of an image with a bitmap its repair loses all snapshots). */
@RequiresQemu
class RepairBesideBitmapsTest {
    @ParameterizedTest
    @CsvSource({"leaks,off", "all,off", "leaks,on", "all,on"})
    void w8_aRepairKeepsSnapshotsBesideBitmaps(String repair, String lazyRefcounts, @ScratchDir Path folder) {
        Path image = folder.resolve("disk.qcow2");
        QemuTools.create(image, 10 << 20, "lazy_refcounts=" + lazyRefcounts);
        QemuTools.io(image, "write -P 1 0 1M");
        String name = image.toString();
        QemuTools.img("snapshot", "-c", "kept", name).orFail();
        QemuTools.img("bitmap", "--add", name, "b").orFail();
        OutputStream out = OutputStream.nullOutputStream();
        assertEquals(
                0,
                Main.run(
                        "ashlar",
                        new String[] {"check", "-q", "-r", repair, name},
                        InputStream.nullInputStream(),
                        out,
                        out));
        assertEquals(List.of("kept"), QemuTools.snapshotNames(image));
        QemuTools.requireClean(image);
    }
}
