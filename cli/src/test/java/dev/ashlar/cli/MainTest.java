package dev.ashlar.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The program as a whole, without the real programs beside it. */
class MainTest {
    @TempDir
    Path folder;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(String program, String... arguments) {
        out.reset();
        err.reset();
        return Main.run(program, arguments, InputStream.nullInputStream(), out, err);
    }

    private String file(String name) {
        return folder.resolve(name).toString();
    }

    @Test
    void messagesStartWithTheNameTheProgramWasCalledBy() {
        assertEquals(1, run("ashlar", "info", file("missing")));
        assertTrue(err.toString(StandardCharsets.UTF_8).startsWith("ashlar: Could not open '"));
        assertEquals(1, run("/usr/bin/qemu-img", "info", file("missing")));
        assertTrue(err.toString(StandardCharsets.UTF_8).startsWith("qemu-img: Could not open '"));
        assertEquals(1, run("qemu-io", file("missing")));
        assertTrue(err.toString(StandardCharsets.UTF_8).startsWith("qemu-io: can't open device "));
        assertEquals(1, run("ashlar", "io", file("missing")));
        assertTrue(err.toString(StandardCharsets.UTF_8).startsWith("ashlar: can't open device "));
    }

    @Test
    void helpNamesTheFormats() {
        assertEquals(0, run("qemu-img", "--help"));
        String help = out.toString(StandardCharsets.UTF_8);
        assertTrue(
                help.lines().anyMatch(line -> line.startsWith("Supported formats:") && line.contains(" qcow2")), help);
        assertTrue(help.lines().anyMatch(line -> line.startsWith("Supported formats:") && line.contains(" raw")), help);
        assertEquals(0, run("qemu-img", "info", "-h"));
        assertEquals(help, out.toString(StandardCharsets.UTF_8));
        assertEquals(0, run("qemu-io", "--help"));
        assertTrue(out.toString(StandardCharsets.UTF_8).startsWith("Usage: qemu-io "));
        assertEquals(0, run("qemu-img", "--version"));
        assertTrue(out.toString(StandardCharsets.UTF_8).startsWith("qemu-img version "));
    }

    @Test
    void whatIsMissingIsRefusedInOneLine() {
        assertEquals(1, run("ashlar", "-T", "x", "info", "x"));
        String said = err.toString(StandardCharsets.UTF_8);
        assertTrue(said.endsWith(" is not supported by Ashlar yet\n"), said);
        assertEquals(1, said.lines().count());
    }

    @Test
    void aReaderThatWentAwayIsNoError() {
        int status = Main.run(
                "ashlar", new String[] {"--help"}, InputStream.nullInputStream(), new Deaf("Broken pipe"), err);
        assertEquals(0, status);
        assertEquals("", err.toString(StandardCharsets.UTF_8));
    }

    @Test
    void aListThatNobodyReadsEndsEarly() throws IOException {
        String image = file("big.qcow2");
        assertEquals(0, run("ashlar", "create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", image, "8M"));
        StringBuilder script = new StringBuilder();
        for (int at = 0; at < 8 << 20; at += 8192) {
            script.append("write -q ").append(at).append(" 512\n");
        }
        InputStream in = new ByteArrayInputStream(script.toString().getBytes(StandardCharsets.UTF_8));
        assertEquals(0, Main.run("qemu-io", new String[] {image}, in, OutputStream.nullOutputStream(), err));
        // Damage at the end, which only a list that gets there finds.
        try (RandomAccessFile header = new RandomAccessFile(image, "rw")) {
            header.seek(36);
            int l1Entries = header.readInt();
            header.seek(header.readLong() + 8L * (l1Entries - 1));
            header.writeLong(1L << 63 | 512);
        }
        assertEquals(1, run("ashlar", "map", "--output=json", image));
        err.reset();
        Deaf deaf = new Deaf("Broken pipe");
        assertEquals(0, Main.run("ashlar", new String[] {"map", "--output=json", image}, in, deaf, err));
        assertEquals(1, deaf.calls, "nothing is tried after the first failure");
        assertEquals("", err.toString(StandardCharsets.UTF_8));
    }

    @Test
    void whatCannotBeSaidIsAnError() {
        assertEquals(
                1,
                Main.run(
                        "ashlar",
                        new String[] {"--help"},
                        InputStream.nullInputStream(),
                        new Deaf("No space left on device"),
                        err));
        assertEquals("ashlar: write error: No space left on device\n", err.toString(StandardCharsets.UTF_8));
    }

    /** A stream that takes nothing. */
    private static final class Deaf extends OutputStream {
        private final String reason;
        private int calls;

        Deaf(String reason) {
            this.reason = reason;
        }

        @Override
        public void write(int b) throws IOException {
            calls++;
            throw new IOException(reason);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            write(0);
        }
    }

    @Test
    void namesWithControlCharactersAreShownHarmless() {
        String name = file("a\u001b[31mb");
        assertEquals(0, run("ashlar", "create", "-q", "-f", "qcow2", name, "1M"));
        assertEquals(0, run("ashlar", "snapshot", "-c", "x\u001b]0;y\u0007", name));
        assertEquals(0, run("ashlar", "info", name));
        String said = out.toString(StandardCharsets.UTF_8);
        assertFalse(said.contains("\u001b"), said);
        assertTrue(said.contains("x\\x1b]0;y\\x07"), said);
        assertEquals(1, run("ashlar", "info", file("\u001b[31m")));
        assertFalse(err.toString(StandardCharsets.UTF_8).contains("\u001b"));
    }

    @Test
    void tour() throws IOException {
        assertEquals(0, run("ashlar", "tour", folder.toString()), () -> out.toString(StandardCharsets.UTF_8));
        String said = out.toString(StandardCharsets.UTF_8);
        assertTrue(said.contains("Every byte is back."), said);
        assertTrue(said.contains("Everything was as it should be."), said);
        assertFalse(said.contains("\u001b"), "no colours where there is no terminal");
        try (Stream<Path> left = Files.list(folder)) {
            assertEquals(0, left.count());
        }
        assertEquals(1, run("ashlar", "tour", file("missing")));
        assertEquals(1, err.toString(StandardCharsets.UTF_8).lines().count());
        assertEquals(1, run("ashlar", "tour", "--nosuch"));
    }
}
