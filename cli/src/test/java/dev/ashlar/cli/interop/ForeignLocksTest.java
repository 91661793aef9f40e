package dev.ashlar.cli.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.testkit.host.Command;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** An image that one program has open for writing is refused to the other, both ways round, and is free again afterwards. */
@RequiresQemu
class ForeignLocksTest {
    @Test
    void qemuIsKeptOutByAshlar(@ScratchDir Path directory) throws Exception {
        Path image = directory.resolve("disk.qcow2");
        AshlarDisk.create(image, 1 << 20, Map.of());
        try (AshlarDisk disk = AshlarDisk.readWrite(image, false)) {
            disk.run(new Step.Write(0, 4096, 1));
            Command.Result refused = QemuTools.io("qcow2", image, List.of("write 0 4k"));
            assertNotEquals(0, refused.exitCode());
            assertTrue(refused.errors().contains("lock"), refused::toString);
            assertNotEquals(
                    0, QemuTools.img("snapshot", "-c", "s", image.toString()).exitCode());
            // who asks for no locks may look
            QemuTools.img("info", "-U", image.toString()).orFail();
        }
        QemuTools.io(image, "read -P 1 0 4k", "write -P 2 0 4k");
    }

    @Test
    void ashlarIsKeptOutByQemu(@ScratchDir Path directory) throws Exception {
        Path image = directory.resolve("disk.qcow2");
        QemuTools.create(image, 1 << 20);
        Process holder = new ProcessBuilder(
                        "qemu-io",
                        "-f",
                        "qcow2",
                        "-c",
                        "write -P 7 0 4k",
                        "-c",
                        "flush",
                        "-c",
                        "sleep 2500",
                        image.toString())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectErrorStream(true)
                .start();
        try {
            awaitLock(image, holder);
            BlockException refused = assertThrows(
                    BlockException.class,
                    () -> AshlarDisk.readWrite(image, false).close());
            assertEquals(Kind.LOCKED, refused.kind(), refused::getMessage);
            try (AshlarDisk shared =
                    new AshlarDisk(image, OpenOptions.readOnly().format("qcow2").forceShare(true))) {
                assertEquals(1 << 20, shared.backend().lengthBytes());
            }
            assertTrue(holder.isAlive(), "the other program ended too early to tell anything");
            assertTrue(holder.waitFor(30, TimeUnit.SECONDS));
            assertEquals(0, holder.exitValue());
        } finally {
            holder.destroyForcibly();
        }
        try (AshlarDisk disk = AshlarDisk.readWrite(image, false)) {
            assertEquals(7, disk.found().disk().read(0, 1)[0]);
        }
    }

    private static void awaitLock(Path image, Process holder) throws Exception {
        String inode = ":" + Files.getAttribute(image, "unix:ino") + " ";
        while (Files.readAllLines(Path.of("/proc/locks")).stream().noneMatch(line -> line.contains(inode))) {
            assertTrue(holder.isAlive(), "the other program took no lock");
            Thread.sleep(10);
        }
        // the first lock is there: let it take the rest
        Thread.sleep(200);
    }
}
