package dev.ashlar.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.testkit.host.Command;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A signal ends commands that change images, in the midst of their work: at once, with the status that tells the signal, and what they leave is what was there before
 * or can be opened and checked. Each would go on for longer than it is waited for, held back by a rate.
 */
@RequiresQemu
class SignalTest {
    private static final long DISK_BYTES = 64 << 20;
    private static final String SLOW = "throttle-group,id=slow,x-bps-total=4000000";

    @ParameterizedTest
    @CsvSource({"INT, 130, qcow2", "TERM, 143, raw", "HUP, 129, qcow2"})
    void noHalfTargetIsLeft(String signal, int status, String format, @ScratchDir Path folder) throws Exception {
        Path source = source(folder.resolve("source.qcow2"));
        Path target = folder.resolve("target");
        Running running = start("convert", "-p", "-r", "3M", "-O", format, source.toString(), target.toString());
        running.awaitOutput("    \\((?!0.00).*");
        assertTrue(Files.exists(target));
        assertEquals(status, running.stop(signal));
        assertTrue(running.output().endsWith("%)\r\n"), running.output());
        assertEquals("", running.errors());
        assertFalse(Files.exists(target), "half of it is no image");
        requireContent(source, 5);
    }

    @ParameterizedTest
    @ValueSource(strings = {"convert", "dd"})
    void noHalfTargetIsLeftByAnError(String command, @ScratchDir Path folder) throws Exception {
        Path source = source(folder.resolve("source.qcow2"));
        Path target = folder.resolve("target");
        // The second half can't be read.
        Path rules = folder.resolve("rules");
        Files.writeString(rules, "[inject-error]\nevent = \"read_aio\"\nerrno = \"5\"\nsector = \"81920\"\n");
        String broken = "blkdebug:" + rules + ":" + source;
        List<String> words = command.equals("dd")
                ? List.of("dd", "if=" + broken, "of=" + target, "bs=1M")
                : List.of("convert", "-O", "qcow2", broken, target.toString());
        SideBySide.Outcome outcome = SideBySide.own("ashlar", words, folder, "");
        assertEquals(1, outcome.status());
        assertTrue(outcome.err().contains("Input/output error"), outcome.err());
        assertEquals(1, outcome.err().lines().count(), outcome.err());
        assertFalse(Files.exists(target), "half of it is no image");
    }

    @ParameterizedTest
    @CsvSource({"INT, 130", "TERM, 143"})
    void anImageThatIsCommittedKeepsItsContent(String signal, int status, @ScratchDir Path folder) throws Exception {
        Path base = folder.resolve("base.qcow2");
        QemuTools.create(base, DISK_BYTES);
        Path top = folder.resolve("top.qcow2");
        overlay(top, base);
        fill(top, 5);
        Running running = start("commit", "-p", "-r", "3M", top.toString());
        running.awaitOutput("    \\((?!0.00).*");
        assertEquals(status, running.stop(signal));
        assertTrue(running.output().endsWith("%)\r\n"), running.output());
        assertEquals("", running.errors());
        requireContent(top, 5);
        requireOnlyLeaks(base);
        requireOnlyLeaks(top);
        // It can be done again, to the end.
        assertEquals(
                0,
                SideBySide.own("ashlar", List.of("commit", "-q", top.toString()), folder, "")
                        .status());
        requireContent(base, 5);
    }

    @ParameterizedTest
    @CsvSource({"INT, 130", "TERM, 143"})
    void anImageThatIsRebasedKeepsItsContent(String signal, int status, @ScratchDir Path folder) throws Exception {
        Path base = source(folder.resolve("base.qcow2"));
        Path top = folder.resolve("top.qcow2");
        overlay(top, base);
        Running running = start(
                "rebase",
                "-p",
                "--object",
                SLOW,
                "-b",
                "",
                "--image-opts",
                "driver=qcow2,file.driver=throttle,file.throttle-group=slow,file.file.filename=" + top);
        running.awaitOutput("    \\((?!0.00).*");
        assertEquals(status, running.stop(signal));
        assertTrue(running.output().endsWith("%)\r\n"), running.output());
        assertEquals("", running.errors());
        requireContent(top, 5);
        requireOnlyLeaks(top);
    }

    @ParameterizedTest
    @CsvSource({"INT, 130", "TERM, 143"})
    void anImageThatIsRepairedCanBeRepairedAgain(String signal, int status, @ScratchDir Path folder) throws Exception {
        Path image = folder.resolve("image.qcow2");
        QemuTools.create(image, DISK_BYTES, "cluster_size=4k");
        fill(image, 5);
        // The refcounts are lost: the first entry of their table points nowhere.
        QemuTools.io("raw", image, List.of("write -P 0 " + refcountTable(image) + " 512"));
        Running running = start(
                "check",
                "-r",
                "all",
                "--object",
                "throttle-group,id=slow,x-bps-total=20000",
                "--image-opts",
                "driver=qcow2,file.driver=throttle,file.throttle-group=slow,file.file.filename=" + image);
        running.awaitOpen(image);
        assertEquals(status, running.stop(signal));
        assertEquals(
                "",
                running.errors()
                        .lines()
                        .filter(line -> !line.matches("ERROR .*|Rebuilding .*"))
                        .toList()
                        .toString()
                        .replace("[]", ""));
        assertEquals(
                0,
                SideBySide.own("ashlar", List.of("check", "-q", "-r", "all", image.toString()), folder, "")
                        .status());
        QemuTools.requireClean(image);
        requireContent(image, 5);
    }

    private static long refcountTable(Path image) throws IOException {
        try (var header = new java.io.RandomAccessFile(image.toFile(), "r")) {
            header.seek(48);
            return header.readLong();
        }
    }

    private static Path source(Path image) {
        QemuTools.create(image, DISK_BYTES);
        fill(image, 5);
        return image;
    }

    private static void overlay(Path image, Path base) {
        QemuTools.img("create", "-q", "-f", "qcow2", "-b", base.toString(), "-F", "qcow2", image.toString())
                .orFail();
    }

    private static void fill(Path image, int pattern) {
        QemuTools.io(image, "write -P " + pattern + " 0 " + DISK_BYTES).orFail();
    }

    private static void requireContent(Path image, int pattern) {
        Command.Result result =
                QemuTools.io(image, "read -P " + pattern + " 0 " + DISK_BYTES).orFail();
        assertFalse(result.output().contains("failed"), result.output());
    }

    private static void requireOnlyLeaks(Path image) {
        int status = QemuTools.img("check", "-q", image.toString()).exitCode();
        assertTrue(status == 0 || status == 3, "status " + status);
    }

    private static Running start(String... arguments) throws IOException {
        return new Running(new ProcessBuilder(AshlarProcess.command("ashlar", arguments)).start());
    }

    /** A process, and what it has said so far. */
    private static final class Running {
        private final Process process;
        private final StringBuilder output = new StringBuilder();

        Running(Process process) {
            this.process = process;
        }

        /** Reads until something matches. */
        void awaitOutput(String pattern) throws IOException {
            InputStream in = process.getInputStream();
            String line = "";
            while (!line.matches(pattern)) {
                StringBuilder next = new StringBuilder();
                for (int c = in.read(); c != '\r'; c = in.read()) {
                    if (c < 0) {
                        process.destroyForcibly();
                        throw new AssertionError("it ended: " + output + errors());
                    }
                    next.append((char) c);
                }
                line = next.toString();
                output.append(line).append('\r');
            }
        }

        /** Waits until it has a file open. */
        void awaitOpen(Path file) throws IOException, InterruptedException {
            while (process.isAlive()) {
                try (Stream<Path> open = Files.list(Path.of("/proc/" + process.pid() + "/fd"))) {
                    if (open.anyMatch(each -> leadsTo(each, file))) {
                        return;
                    }
                }
                Thread.sleep(5);
            }
            throw new AssertionError("it ended: " + errors());
        }

        private static boolean leadsTo(Path link, Path file) {
            try {
                return Files.readSymbolicLink(link).equals(file.toRealPath());
            } catch (IOException e) {
                return false;
            }
        }

        /** Sends a signal. @return the exit status, which comes long before the work would have been done */
        int stop(String signal) throws InterruptedException {
            Command.of("kill", "-" + signal, Long.toString(process.pid())).run().orFail();
            boolean ended = process.waitFor(10, TimeUnit.SECONDS);
            if (!ended) {
                process.destroyForcibly();
            }
            assertTrue(ended, "it does not end");
            return process.exitValue();
        }

        String output() throws IOException {
            output.append(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
            return output.toString();
        }

        String errors() throws IOException {
            return new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
