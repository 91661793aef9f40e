package dev.ashlar.cli.interop;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.OpenOptions;
import dev.ashlar.testkit.host.Command;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.model.ByteModel;
import dev.ashlar.testkit.model.DiskExpectation;
import dev.ashlar.testkit.model.DiskHistory;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.module.ResolvedModule;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A process with an open image is killed (SIGKILL) at a random moment, again and again, on the same image: nothing that was promised is lost, and {@code qemu-img check -r leaks} finds all
 * that is left to heal. Kills by the property {@code ashlar.kill.rounds}, seed by {@code ashlar.kill.seed}.
 */
@RequiresQemu
class KilledProcessTest {
    private static final int ROUNDS = Integer.getInteger("ashlar.kill.rounds", 6);
    private static final long SEED = Long.getLong("ashlar.kill.seed", System.nanoTime() & 0xffff_ffffL);
    private static final int STEPS = 3000;
    private static final int MOST_MILLIS = 400;

    @ParameterizedTest(name = "clusters of {0}, direct {1}, lazy refcounts {2}")
    @CsvSource({"512, false, off", "65536, true, off", "4096, false, on"})
    void losesNothingThatWasPromised(int clusterBytes, boolean direct, String lazy, @ScratchDir Path directory)
            throws Exception {
        Path image = directory.resolve("disk.qcow2");
        long size = Math.max(clusterBytes * 40L, 400 << 10);
        AshlarDisk.create(image, size, Map.of("cluster_size", Integer.toString(clusterBytes), "lazy_refcounts", lazy));
        Random random = new Random(SEED + clusterBytes);
        DiskHistory history = new DiskHistory(new ByteModel(size));
        int done = 0;
        for (int round = 0; round < ROUNDS; round++) {
            List<Step> steps = new Step.Menu(clusterBytes, true, true, size * 2, "k" + round + "x")
                    .draw(random, history.model(), STEPS);
            int completed = workUntilKilled(image, direct, steps, random.nextInt(MOST_MILLIS));
            done += completed;
            replay(history, steps, completed);
            try {
                inspect(image, history, direct, random.nextBoolean());
            } catch (Exception | AssertionError e) {
                throw new AssertionError(
                        "round " + round + ", -Dashlar.kill.seed=" + SEED + ": " + e.getMessage() + "\nlast steps "
                                + steps.subList(Math.max(0, completed - 8), completed + 1),
                        e);
            }
        }
        assertTrue(done > 0, "no process did anything before it was killed");
    }

    /** @return steps that the process said were done */
    private static int workUntilKilled(Path image, boolean direct, List<Step> steps, int millis)
            throws IOException, InterruptedException {
        Path input = image.resolveSibling("steps");
        try (PrintStream lines = new PrintStream(Files.newOutputStream(input), false, StandardCharsets.UTF_8)) {
            steps.forEach(lines::println);
        }
        List<String> words = command();
        words.add(image.toString());
        words.add(Boolean.toString(direct));
        Process process = new ProcessBuilder(words)
                .redirectInput(input.toFile())
                .redirectErrorStream(true)
                .start();
        try (BufferedReader output =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            int completed = 0;
            Thread killer = null;
            for (String line = output.readLine(); line != null; line = output.readLine()) {
                if (killer == null) {
                    killer = Thread.ofVirtual().start(() -> killAfter(process, millis));
                }
                if (!line.matches("\\d+")) {
                    throw new AssertionError(
                            "the worker says " + line + "\n" + output.lines().collect(Collectors.joining("\n")));
                }
                completed = Integer.parseInt(line);
                if (completed == steps.size() - 1) {
                    // so that the last step is never followed by a regular end
                    process.toHandle().destroyForcibly();
                }
            }
            return completed;
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    private static void killAfter(Process process, int millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        // by its handle: the process object would close the stream, and with it lose what the worker had said
        process.toHandle().destroyForcibly();
    }

    /** A virtual machine like this one with the same modules, and the tests beside them. */
    private static List<String> command() {
        List<ResolvedModule> modules = ModuleLayer.boot().configuration().modules().stream()
                .filter(each -> each.name().startsWith("dev.ashlar.")
                        && (each.name().contains(".drivers.")
                                || each.name().endsWith(".core")
                                || each.name().endsWith(".nativeio")))
                .toList();
        String modulePath = modules.stream()
                .map(each -> location(each.reference().location().orElseThrow()))
                .collect(Collectors.joining(File.pathSeparator));
        String names = modules.stream().map(ResolvedModule::name).collect(Collectors.joining(","));
        List<String> classPath = new ArrayList<>();
        classPath.add(Path.of("target", "test-classes").toAbsolutePath().toString());
        for (Class<?> each : List.of(KilledProcessTest.class, DiskHistory.class)) {
            classPath.add(location(URI.create(
                    each.getProtectionDomain().getCodeSource().getLocation().toString())));
        }
        return new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-p",
                modulePath,
                "--add-modules",
                names,
                "--enable-native-access=dev.ashlar.nativeio",
                "-cp",
                String.join(File.pathSeparator, classPath),
                KillableWorker.class.getName()));
    }

    private static String location(URI uri) {
        return Path.of(uri).toString();
    }

    /** What is done is done; of the step after it nobody knows. */
    private static void replay(DiskHistory history, List<Step> steps, int completed) {
        for (Step step : steps.subList(0, completed)) {
            step.begin(history);
            history.completed();
        }
        steps.get(completed).begin(history);
    }

    private static void inspect(Path image, DiskHistory history, boolean direct, boolean repair) throws Exception {
        DiskExpectation expectation = history.expectation();
        Path copy = image.resolveSibling("copy.qcow2");
        Command.of("cp", "--sparse=always", image.toString(), copy.toString())
                .run()
                .orFail();
        QemuTools.requireHealedByLeakRepair(copy);
        requireExpected("qemu after the repair", expectation, new QemuDisk(copy).found());
        if (repair) {
            QemuTools.requireHealedByLeakRepair(image);
        }
        try (AshlarDisk disk =
                new AshlarDisk(image, OpenOptions.readOnly().format("qcow2").direct(direct))) {
            DiskExpectation.Found found = disk.found();
            requireExpected("ashlar", expectation, found);
            history.reopened(found);
        }
    }

    private static void requireExpected(String who, DiskExpectation expectation, DiskExpectation.Found found) {
        String mismatch = expectation.mismatch(found);
        if (!mismatch.isEmpty()) {
            throw new AssertionError(who + ": " + mismatch);
        }
    }
}
