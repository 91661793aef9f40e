package dev.ashlar.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Ashlar beside the real programs: the same words on the command line, the same words back. {@code -Dashlar.sidebyside=TEXT} runs
 * only scenarios whose file and name hold the text.
 */
class SideBySideTest {
    private static final List<String> FILES = List.of(
            "usage.txt",
            "create.txt",
            "snapshots.txt",
            "check.txt",
            "copies.txt",
            "io.txt",
            "bad-input.txt",
            "options.txt",
            "backing.txt",
            "bitmaps.txt",
            "measure.txt",
            "tables.txt",
            "zeroes.txt",
            "resize.txt",
            "amend.txt",
            "data-file.txt",
            "encryption.txt",
            "names.txt");

    @TestFactory
    Stream<DynamicTest> scenarios() throws IOException {
        List<DynamicTest> tests = new ArrayList<>();
        for (String file : FILES) {
            for (SideBySide.Scenario scenario : SideBySide.Scenario.ofResource(file)) {
                String only = System.getProperty("ashlar.sidebyside", "");
                if (!(file + ": " + scenario.name()).contains(only)) {
                    continue;
                }
                tests.add(DynamicTest.dynamicTest(file + ": " + scenario.name(), () -> run(scenario)));
            }
        }
        return tests.stream();
    }

    /** Needs root, for a small file system; unmounts it whatever happens. */
    @TestFactory
    Stream<DynamicTest> fullFileSystem() throws IOException {
        Assumptions.assumeTrue("root".equals(System.getProperty("user.name")), "only root can mount a file system");
        return SideBySide.Scenario.ofResource("no-space.txt").stream()
                .map(scenario -> DynamicTest.dynamicTest(scenario.name(), () -> run(scenario)));
    }

    @Test
    void manyCommandLinesAreCompared() throws IOException {
        int compared = 0;
        for (String file : FILES) {
            for (SideBySide.Scenario scenario : SideBySide.Scenario.ofResource(file)) {
                for (String step : scenario.steps()) {
                    compared += step.startsWith("img ") || step.startsWith("io ") ? 1 : 0;
                }
            }
        }
        assertTrue(compared >= 150, "only " + compared);
    }

    private static void run(SideBySide.Scenario scenario) throws IOException {
        Assumptions.assumeTrue(isInstalled(), "qemu-img and qemu-io are not installed (package qemu-utils)");
        // A real file system: the folder for temporary files may be one in memory, without O_DIRECT.
        Path folder = Files.createTempDirectory(Path.of("target").toAbsolutePath(), "side-by-side");
        try (SideBySide sides = new SideBySide(folder)) {
            StringBuilder differences = new StringBuilder();
            for (String step : scenario.steps()) {
                differences.append(sides.step(step));
            }
            assertEquals("", differences.toString(), scenario.name());
        } finally {
            for (String side : List.of("a", "b")) {
                if (Files.exists(folder.resolve(side).resolve("s"))) {
                    unmount(folder.resolve(side).resolve("s"));
                }
            }
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
    }

    private static void unmount(Path place) throws IOException {
        try {
            new ProcessBuilder("umount", "-q", place.toString()).start().waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static boolean isInstalled() {
        return Files.isExecutable(Path.of("/usr/bin/qemu-img")) && Files.isExecutable(Path.of("/usr/bin/qemu-io"));
    }
}
