package dev.ashlar.drivers.file;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.Permission;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.ProtocolInstance;
import dev.ashlar.nativeio.LinuxFile;
import dev.ashlar.nativeio.OpenFlag;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

@Timeout(60)
class ProcessLocksTest {
    private static final Set<Permission> NOTHING = EnumSet.noneOf(Permission.class);
    private static final Set<Permission> ALL = EnumSet.allOf(Permission.class);

    /** What a writer of a disk uses, and what it leaves to others. */
    private static final Set<Permission> WRITER_USES =
            EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE, Permission.RESIZE);

    private static final Set<Permission> WRITER_SHARES =
            EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE_UNCHANGED);

    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    private String image = "";

    @BeforeEach
    void createImage() throws BlockException {
        image = scratch.file("image.raw").toString();
        Host.create(new FileDriver(), Map.of("filename", image, "size", "1048576"));
    }

    /** A process that another thread starts just then has a copy of the descriptor: the file stays open for a moment, the locks must not. */
    @Test
    void locksAreGivenUpBeforeTheFileIsClosed() throws Exception {
        try (LinuxFile file = LinuxFile.open(image, OpenFlag.READ_WRITE)) {
            ProcessLocks locks = new ProcessLocks(file);
            locks.update(WRITER_USES, WRITER_SHARES);
            ProtocolInstance other = Host.open(new FileDriver(), image);
            assertThrows(BlockException.class, () -> other.updatePermissions(WRITER_USES, WRITER_SHARES));
            locks.release();
            other.updatePermissions(WRITER_USES, WRITER_SHARES);
            other.close();
        }
    }

    @Test
    void twoWritersOfOneProcessExcludeEachOther() throws Exception {
        ProtocolInstance first = Host.open(new FileDriver(), image);
        ProtocolInstance second = Host.open(new FileDriver(), image, Flag.DIRECT);
        first.updatePermissions(WRITER_USES, WRITER_SHARES);
        BlockException e =
                assertThrows(BlockException.class, () -> second.updatePermissions(WRITER_USES, WRITER_SHARES));
        assertEquals(Kind.LOCKED, e.kind());
        assertEquals(
                "Failed to get \"write\" lock\nIs another process using the image [" + image + "]?", e.getMessage());
        second.updatePermissions(EnumSet.of(Permission.CONSISTENT_READ), ALL);
        first.updatePermissions(NOTHING, ALL);
        second.updatePermissions(WRITER_USES, WRITER_SHARES);
        e = assertThrows(
                BlockException.class,
                () -> first.updatePermissions(
                        EnumSet.of(Permission.CONSISTENT_READ), EnumSet.complementOf(EnumSet.of(Permission.WRITE))));
        assertEquals(
                "Failed to get shared \"write\" lock\nIs another process using the image [" + image + "]?",
                e.getMessage());
        second.close();
        first.updatePermissions(WRITER_USES, WRITER_SHARES);
        first.close();
    }

    @Test
    void aRefusedChangeLeavesTheLocksAsTheyWere() throws Exception {
        ProtocolInstance reader = Host.open(new FileDriver(), image, Flag.READ_ONLY);
        ProtocolInstance writer = Host.open(new FileDriver(), image);
        ProtocolInstance third = Host.open(new FileDriver(), image);
        // Reads, and wants nobody to resize.
        reader.updatePermissions(
                EnumSet.of(Permission.CONSISTENT_READ), EnumSet.complementOf(EnumSet.of(Permission.RESIZE)));
        writer.updatePermissions(EnumSet.of(Permission.WRITE), ALL);
        assertThrows(BlockException.class, () -> writer.updatePermissions(WRITER_USES, WRITER_SHARES));
        // Had the refused change left "write is not shared" behind, this would fail.
        third.updatePermissions(EnumSet.of(Permission.WRITE), ALL);
        // Had it dropped "write is used", this would succeed.
        assertThrows(
                BlockException.class,
                () -> reader.updatePermissions(NOTHING, EnumSet.complementOf(EnumSet.of(Permission.WRITE))));
        reader.close();
        writer.close();
        third.close();
    }

    @Test
    void aRunningQemuIoKeepsUsOut() throws Exception {
        Host.needsQemu();
        // A format with tables of its own: beneath raw, QEMU lets others write.
        image = scratch.file("image.qcow2").toString();
        assertEquals(
                0, Host.run("qemu-img", "create", "-f", "qcow2", image, "1M").status());
        long lengthBytes = Files.size(Path.of(image));
        Process qemu = new ProcessBuilder("qemu-io", "-f", "qcow2", image)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedWriter input =
                        new BufferedWriter(new OutputStreamWriter(qemu.getOutputStream(), StandardCharsets.UTF_8));
                BufferedReader output =
                        new BufferedReader(new InputStreamReader(qemu.getInputStream(), StandardCharsets.UTF_8))) {
            input.write("length\n");
            input.flush();
            assertTrue(String.valueOf(output.readLine()).contains("1 MiB"));
            ProtocolInstance file = Host.open(new FileDriver(), image);
            BlockException e =
                    assertThrows(BlockException.class, () -> file.updatePermissions(WRITER_USES, WRITER_SHARES));
            assertEquals(
                    "Failed to get \"write\" lock\nIs another process using the image [" + image + "]?",
                    e.getMessage());
            assertThrows(
                    BlockException.class,
                    () -> Host.create(new FileDriver(), Map.of("filename", image, "size", "0")),
                    "creating over an image in use");
            assertEquals(lengthBytes, file.lengthBytes(), "the image in use is untouched");
            ProtocolInstance shared = Host.open(new FileDriver(), image, Flag.FORCE_SHARE, Flag.READ_ONLY);
            shared.updatePermissions(EnumSet.of(Permission.CONSISTENT_READ), ALL);
            shared.close();
            input.write("quit\n");
            input.flush();
            assertEquals(0, qemu.waitFor());
            file.updatePermissions(WRITER_USES, WRITER_SHARES);
            file.close();
        } finally {
            qemu.destroyForcibly();
        }
    }

    @Test
    void weKeepQemuIoOut() throws Exception {
        Host.needsQemu();
        ProtocolInstance file = Host.open(new FileDriver(), image, Flag.DIRECT);
        file.updatePermissions(WRITER_USES, WRITER_SHARES);
        String[] write = {"qemu-io", "-f", "raw", "-c", "write -P 1 0 512", image};
        Host.Result refused = Host.run(write);
        assertEquals(1, refused.status());
        assertTrue(refused.output().contains("Failed to get \"write\" lock"), refused.output());
        file.updatePermissions(EnumSet.of(Permission.CONSISTENT_READ), ALL);
        Host.Result done = Host.run(write);
        assertEquals(0, done.status(), done.output());
        file.close();
    }

    @Test
    void lockingCanBeSwitchedOff() throws Exception {
        ProtocolInstance locked = Host.open(new FileDriver(), image);
        locked.updatePermissions(WRITER_USES, WRITER_SHARES);
        ProtocolInstance free = (ProtocolInstance)
                new FileDriver().open(new Host.Request(Map.of("filename", image, "locking", "off"), Set.of()));
        free.updatePermissions(WRITER_USES, WRITER_SHARES);
        free.close();
        locked.close();
        BlockException e = assertThrows(
                BlockException.class,
                () -> new FileDriver().open(new Host.Request(Map.of("filename", image, "locking", "maybe"), Set.of())));
        assertEquals("invalid parameter value: maybe", e.getMessage());
    }
}
