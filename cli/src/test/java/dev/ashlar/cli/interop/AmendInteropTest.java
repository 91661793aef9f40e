package dev.ashlar.cli.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.testkit.host.Command;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Images that this program amended, read by the real one. */
@RequiresQemu
class AmendInteropTest {
    private final Path scratch;
    private final String image;

    AmendInteropTest(@ScratchDir Path scratch) {
        this.scratch = scratch;
        image = scratch.resolve("disk.qcow2").toString();
    }

    private static Command.Result img(Side side, String... words) {
        return side.img(words).orFail();
    }

    private void io(String... commands) {
        QemuTools.io(Path.of(image), commands);
    }

    private void amend(String options) {
        img(Side.ASHLAR, "amend", "-f", "qcow2", "-o", options, image);
    }

    private void requireClean() {
        QemuTools.requireClean(Path.of(image));
    }

    /** What a longer backing file has behind the old end must not show. */
    @Test
    void aNewEndReadsAsZeros() {
        String base = scratch.resolve("base").toString();
        img(Side.QEMU, "create", "-q", "-f", "raw", base, "4M");
        Side.QEMU
                .run(List.of("qemu-io", "-f", "raw", "-c", "write -P 7 0 4M", base))
                .orFail();
        img(Side.QEMU, "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", image, "1M");
        amend("size=3M");
        io("read -P 7 0 1M", "read -P 0 1M 2M");
        requireClean();
    }

    @Test
    void bitmapsAreAsLongAsTheDisk() {
        img(Side.QEMU, "create", "-q", "-f", "qcow2", "-o", "cluster_size=512", image, "1M");
        img(Side.QEMU, "bitmap", "--add", "-g", "512", image, "b");
        amend("size=8M");
        io("write -P 1 5M 64k");
        amend("refcount_bits=64,size=9M");
        String info = img(Side.QEMU, "info", image).output();
        assertTrue(info.contains("name: b") && info.contains("auto") && !info.contains("in-use"), info);
        assertTrue(info.contains("refcount bits: 64"), info);
        requireClean();
    }

    /** The real program leaves them behind as leaked clusters, with a warning whenever the image is opened. */
    @Test
    void versionTwoHasNoBitmaps() {
        img(Side.QEMU, "create", "-q", "-f", "qcow2", image, "1M");
        img(Side.QEMU, "bitmap", "--add", image, "b");
        amend("compat=0.10");
        Command.Result check = img(Side.QEMU, "check", image);
        assertEquals("", check.errors());
        requireClean();
    }

    /** The real program fills the clusters with zeros that the first snapshot has as data. */
    @Test
    void snapshotsKeepTheirContentInVersionTwo() {
        img(Side.QEMU, "create", "-q", "-f", "qcow2", image, "4M");
        io("write -P 5 0 1M");
        img(Side.QEMU, "snapshot", "-c", "s", image);
        io("write -z 0 1M");
        img(Side.QEMU, "snapshot", "-c", "t", image);
        amend("compat=0.10");
        requireClean();
        io("read -P 0 0 1M");
        img(Side.QEMU, "snapshot", "-a", "s", image);
        io("read -P 5 0 1M");
        requireClean();
    }
}
