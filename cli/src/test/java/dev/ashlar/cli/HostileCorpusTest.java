package dev.ashlar.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.cli.SideBySide.Outcome;
import dev.ashlar.testkit.ProcessorTime;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.hostile.HostileImage;
import dev.ashlar.testkit.hostile.HostileTables;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every command that only looks, on every hostile image: it ends as the real program's does; an error is one line; what it prints is harmless to a terminal, and JSON valid UTF-8; it
 * takes a bounded time and heap, and leaves the image as it was.
 */
class HostileCorpusTest {
    private static final long MAX_CPU_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final String HEAP = "-Xmx32m";

    /** Where Ashlar is stricter: a table behind the end of the file is an error there and not zeros, and so is a compressed cluster that goes on behind a cluster's bytes. */
    private static final Set<String> STRICTER = Set.of(
            "snapshot table in the last byte",
            "snapshot whose name ends behind the file",
            "snapshot with an L1 table of 2^32-1 entries",
            "snapshot of a negative size",
            "L1 entry behind the end",
            "compressed data that explodes");

    @ParameterizedTest
    @ValueSource(
            strings = {
                "info -f qcow2 @",
                "info -f qcow2 --output=json @",
                "check -f qcow2 @",
                "map -f qcow2 --output=json @",
                "snapshot -l @",
                "convert -f qcow2 -O raw @ %",
                "info --untrusted @"
            })
    void aLookEndsWellAndChangesNothing(String command, @ScratchDir Path folder) throws IOException {
        Path file = folder.resolve("image");
        for (HostileImage image : HostileLooks.corpus()) {
            image.content().writeTo(file);
            byte[] before = Files.readAllBytes(file);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            long cpu = ProcessorTime.ofThreadNanos();
            int status =
                    Main.run("qemu-img", HostileLooks.words(command, file), InputStream.nullInputStream(), out, err);
            long taken = ProcessorTime.ofThreadNanos() - cpu;
            assertTrue(status >= 0 && status <= 3, () -> image + ": status " + status);
            assertTrue(taken < MAX_CPU_NANOS, () -> image + " takes " + taken + " ns");
            requireHarmless(image, out);
            requireHarmless(image, err);
            String error = err.toString(StandardCharsets.UTF_8);
            if (!command.startsWith("check") && status != 0) {
                assertEquals(
                        1,
                        error.lines()
                                .filter(line -> line.startsWith("qemu-img: "))
                                .count(),
                        () -> image + ": " + error);
            }
            assertArrayEquals(before, Files.readAllBytes(file), () -> image + " was written to");
        }
    }

    private static void requireHarmless(HostileImage image, ByteArrayOutputStream stream) {
        try {
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(stream.toByteArray()))
                    .toString();
            assertTrue(
                    text.chars().noneMatch(c -> c != '\n' && (c < ' ' || (c >= 0x7f && c < 0xa0))),
                    () -> image + ": " + text);
            assertTrue(!text.contains("Exception") && !text.contains("internal error"), () -> image + ": " + text);
        } catch (CharacterCodingException e) {
            throw new AssertionError(image + ": not UTF-8", e);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"check -f qcow2 @", "convert -f qcow2 -O raw @ %"})
    @RequiresQemu
    void itEndsAsTheRealPrograms(String command, @ScratchDir Path folder) throws IOException {
        Set<String> ownRules = new HashSet<>(STRICTER);
        HostileImage.refusedByAshlarAlone().forEach(image -> ownRules.add(image.name()));
        // it prints half characters as they are
        HostileTables.illNamed().forEach(image -> ownRules.add(image.name()));
        Path file = folder.resolve("image");
        StringBuilder differences = new StringBuilder();
        for (HostileImage image : HostileLooks.corpus()) {
            if (ownRules.contains(image.name())) {
                continue;
            }
            image.content().writeTo(file);
            List<String> words = List.of(HostileLooks.words(command, file));
            Outcome theirs = SideBySide.real("qemu-img", words, folder, "");
            Outcome ours = SideBySide.own("qemu-img", words, folder, "");
            if (theirs.status() != ours.status()) {
                differences
                        .append(image)
                        .append(": ")
                        .append(ours.status())
                        .append(", expected ")
                        .append(theirs.status())
                        .append('\n')
                        .append(ours.err())
                        .append(theirs.err());
            }
        }
        assertEquals("", differences.toString());
    }

    /** All of it in one process with a small heap: nothing is kept, and nothing is as large as an image says. */
    @Test
    void aSmallHeapIsEnough(@ScratchDir Path folder) throws Exception {
        List<String> words = new ArrayList<>();
        words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        words.addAll(List.of(HEAP, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
        words.addAll(LauncherOfClasses.words(HostileImage.class, Main.class, HostileLooks.class));
        words.addAll(List.of(HostileLooks.class.getName(), folder.toString()));
        Path log = folder.resolve("log");
        Process process = new ProcessBuilder(words)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        assertTrue(process.waitFor(120, TimeUnit.SECONDS), "takes minutes");
        String said = Files.readString(log);
        assertEquals(0, process.exitValue(), said);
        assertTrue(said.contains("looked at " + HostileLooks.corpus().size() + " images"), said);
    }
}
