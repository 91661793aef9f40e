package dev.ashlar.cli.img;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.crash.CrashState;
import dev.ashlar.testkit.crash.DiskSetCrashStates;
import dev.ashlar.testkit.crash.DiskSetLog;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.model.DiskExpectation;
import dev.ashlar.testkit.model.DiskExpectation.Found;
import dev.ashlar.testkit.model.DiskExpectation.World;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Power cuts while a command works on several files at once: each file keeps a part of its own of what no flush of it covered. {@code commit} and {@code rebase}
 * never change what the disk shows, {@code resize} shows the old or the new, the target of {@code convert} is none or one that no check finds fault with, and whole
 * once the command has ended. Rounds of each by the property {@code ashlar.commands.rounds}, the first seed by {@code ashlar.commands.seed}, states of each round
 * by {@code ashlar.commands.states}; {@code ashlar.commands.report=true} prints how many there were.
 */
class WholeCommandCrashTest {
    private static final int ROUNDS = Integer.getInteger("ashlar.commands.rounds", 1);
    private static final long FIRST_SEED = Long.getLong("ashlar.commands.seed", System.nanoTime() & 0xffff_ffffL);
    private static final int STATES = Integer.getInteger("ashlar.commands.states", 60);
    private static final boolean REPORT = Boolean.getBoolean("ashlar.commands.report");
    /** Of tests beside the real programs. */
    private static final long FIXED_SEED = 1_000_000;

    private static final int SIZE = (190 << 10) + 512;
    private static final int SHORT = 100 << 10;
    private static final int LONG = (260 << 10) + 1024;

    /**
     * A command and the files that it works on.
     *
     * @param base length of the backing file in bytes
     * @param other length of a further image, 0 for none
     * @param middle an image stands between {@code top} and {@code base}
     */
    record Scenario(String name, int base, int other, boolean middle, Promise promise, String... words) {
        @Override
        public String toString() {
            return name;
        }
    }

    /** What may be read of an image between, and what must be when the command has ended. */
    @FunctionalInterface
    interface Promise {
        Map<String, Outcome> of(Recording recording) throws Exception;
    }

    /** @param mayBeNone the file need not be an image before the command has ended */
    record Outcome(DiskExpectation between, DiskExpectation after, boolean mayBeNone) {
        static Outcome always(SparseBytes content) {
            return new Outcome(expected(content), expected(content), false);
        }
    }

    /**
     * @param formats of the images by name, in the order from top to bottom
     * @param contents what each image showed before
     */
    record Recording(
            Map<String, String> formats,
            Map<String, SparseBytes> initial,
            Map<String, SparseBytes> contents,
            DiskSetLog log) {
        SparseBytes before(String name) {
            SparseBytes content = contents.get(name);
            if (content == null) {
                throw new AssertionError("no image " + name);
            }
            return content;
        }
    }

    static List<Scenario> scenarios() {
        List<Scenario> all = new ArrayList<>();
        Promise committed = recording -> committed(recording, "base");
        all.add(new Scenario("commit", SIZE, 0, false, committed, "commit", "-q", "-f", "qcow2", "top"));
        all.add(new Scenario(
                "commit without emptying", SIZE, 0, false, committed, "commit", "-q", "-d", "-f", "qcow2", "top"));
        all.add(new Scenario(
                "commit into a shorter one", SHORT, 0, false, committed, "commit", "-q", "-f", "qcow2", "top"));
        all.add(new Scenario(
                "commit into the next one",
                SIZE,
                0,
                true,
                recording -> committed(recording, "middle"),
                "commit",
                "-q",
                "-f",
                "qcow2",
                "top"));
        all.add(new Scenario(
                "commit over one between",
                SIZE,
                0,
                true,
                committed,
                "commit",
                "-q",
                "-b",
                "base",
                "-f",
                "qcow2",
                "top"));
        Promise shown = recording -> Map.of("top", Outcome.always(recording.before("top")));
        for (int length : new int[] {SIZE, SHORT, LONG}) {
            all.add(new Scenario(
                    "rebase onto another of " + length,
                    SIZE,
                    length,
                    false,
                    shown,
                    "rebase",
                    "-f",
                    "qcow2",
                    "-b",
                    "other",
                    "-F",
                    "qcow2",
                    "top"));
        }
        all.add(new Scenario("rebase onto none", SIZE, 0, false, shown, "rebase", "-f", "qcow2", "-b", "", "top"));
        all.add(new Scenario(
                "rebase onto the one below",
                SHORT,
                0,
                true,
                shown,
                "rebase",
                "-f",
                "qcow2",
                "-b",
                "base",
                "-F",
                "FORMAT",
                "top"));
        resizes(all);
        copies(all);
        return all;
    }

    private static void resizes(List<Scenario> all) {
        all.add(new Scenario(
                "resize --shrink",
                SIZE,
                0,
                false,
                recording -> resized(recording, SHORT + 512),
                "resize",
                "-q",
                "--shrink",
                "-f",
                "qcow2",
                "top",
                "" + (SHORT + 512)));
        for (String mode : List.of("off", "metadata", "falloc", "full")) {
            all.add(new Scenario(
                    "resize --preallocation=" + mode,
                    LONG,
                    0,
                    false,
                    recording -> resized(recording, LONG + 2048),
                    "resize",
                    "-q",
                    "--preallocation=" + mode,
                    "-f",
                    "qcow2",
                    "top",
                    "" + (LONG + 2048)));
        }
    }

    private static void copies(List<Scenario> all) {
        Promise copied = recording -> copied(recording, new SparseBytes(SIZE), true);
        all.add(new Scenario(
                "convert", SIZE, 0, false, copied, "convert", "-f", "qcow2", "-O", "qcow2", "top", "target"));
        all.add(new Scenario(
                "convert -c", SIZE, 0, false, copied, "convert", "-c", "-f", "qcow2", "-O", "qcow2", "top", "target"));
        all.add(new Scenario(
                "convert with preallocation",
                SIZE,
                0,
                false,
                copied,
                "convert",
                "-f",
                "qcow2",
                "-O",
                "qcow2",
                "-o",
                "preallocation=metadata,cluster_size=4096",
                "top",
                "target"));
        all.add(new Scenario(
                "convert over a backing file",
                SIZE,
                0,
                false,
                recording -> copied(recording, recording.before("base"), true),
                "convert",
                "-f",
                "qcow2",
                "-O",
                "qcow2",
                "-B",
                "base",
                "-F",
                "FORMAT",
                "top",
                "target"));
        all.add(new Scenario(
                "convert into an image that is there",
                SIZE,
                SIZE,
                false,
                recording -> Map.of(
                        "other",
                        copied(recording, recording.before("other"), false).get("target")),
                "convert",
                "-n",
                "-f",
                "qcow2",
                "-O",
                "qcow2",
                "top",
                "other"));
    }

    private static DiskExpectation expected(SparseBytes... versions) {
        return new DiskExpectation(List.of(new World(List.of(versions), Map.of())));
    }

    private static SparseBytes resized(SparseBytes content, long lengthBytes) {
        SparseBytes other = content.fork();
        other.setLengthBytes(lengthBytes);
        return other;
    }

    private static Map<String, Outcome> committed(Recording recording, String into) {
        SparseBytes shown = recording.before("top");
        SparseBytes old = recording.before(into);
        long longer = Math.max(old.lengthBytes(), shown.lengthBytes());
        DiskExpectation between = new DiskExpectation(List.of(
                new World(List.of(old, resized(shown, old.lengthBytes())), Map.of()),
                new World(List.of(resized(old, longer), resized(shown, longer)), Map.of())));
        return Map.of(
                "top", Outcome.always(shown), into, new Outcome(between, expected(resized(shown, longer)), false));
    }

    private static Map<String, Outcome> resized(Recording recording, long lengthBytes) {
        SparseBytes old = recording.before("top");
        SparseBytes fresh = resized(old, lengthBytes);
        DiskExpectation either =
                new DiskExpectation(List.of(new World(List.of(old), Map.of()), new World(List.of(fresh), Map.of())));
        return Map.of("top", new Outcome(either, expected(fresh), false));
    }

    private static Map<String, Outcome> copied(Recording recording, SparseBytes old, boolean created) {
        SparseBytes source = recording.before("top");
        return Map.of(
                "top", Outcome.always(source), "target", new Outcome(expected(old, source), expected(source), created));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("scenarios")
    void showsTheOldOrTheNew(Scenario scenario) throws Exception {
        long states = 0;
        for (int i = 0; i < ROUNDS; i++) {
            long seed = FIRST_SEED + i;
            try {
                Recording recording = record(scenario, seed);
                Map<String, Outcome> outcomes = scenario.promise.of(recording);
                states += DiskSetCrashStates.forEachState(
                        recording.log,
                        recording.initial,
                        seed,
                        STATES,
                        (position, disks) -> inspect(recording, outcomes, position, disks));
            } catch (Exception | AssertionError e) {
                throw new AssertionError(scenario + ", -Dashlar.commands.seed=" + seed + ": " + e.getMessage(), e);
            }
        }
        assertTrue(states > 0);
        if (REPORT) {
            System.out.println(states + " states: " + scenario);
        }
    }

    private static Recording record(Scenario scenario, long seed) throws Exception {
        Random random = new Random(seed);
        MemoryImages images = new MemoryImages(Map.of(), UnaryOperator.identity());
        String baseFormat = random.nextInt(3) == 0 ? "raw" : "qcow2";
        Map<String, String> formats = new LinkedHashMap<>();
        formats.put("top", "qcow2");
        create(images, "base", baseFormat, scenario.base, null, random);
        String below = "base";
        String belowFormat = baseFormat;
        if (scenario.middle) {
            create(images, "middle", "qcow2", SIZE, new String[] {"base", baseFormat}, random);
            formats.put("middle", "qcow2");
            below = "middle";
            belowFormat = "qcow2";
        }
        create(images, "top", "qcow2", SIZE, new String[] {below, belowFormat}, random);
        if (random.nextInt(3) == 0 && !scenario.name.contains("resize")) {
            images.run("snapshot", "-c", "s", "top");
            scribble(images, "top", "qcow2", random);
        }
        formats.put("base", baseFormat);
        if (scenario.other > 0) {
            create(images, "other", "qcow2", scenario.other, null, random);
            formats.put("other", "qcow2");
        }
        Map<String, SparseBytes> contents = new LinkedHashMap<>();
        for (Map.Entry<String, String> each : formats.entrySet()) {
            contents.put(each.getKey(), images.content(each.getKey(), each.getValue()));
        }
        Map<String, SparseBytes> initial = images.files(formats.keySet());
        DiskSetLog log = new DiskSetLog();
        String[] words = scenario.words.clone();
        for (int i = 0; i < words.length; i++) {
            words[i] = words[i].equals("FORMAT") ? baseFormat : words[i];
        }
        new MemoryImages(initial, protocol -> new RecordingProtocol(protocol, log.of(protocol.fileName()))).run(words);
        if (words[words.length - 1].equals("target")) {
            formats.put("target", "qcow2");
            initial.put("target", new SparseBytes());
        }
        for (String name : formats.keySet()) {
            log.of(name).mark("done");
        }
        return new Recording(formats, initial, contents, log);
    }

    /** @param backing its name and its format, or null */
    private static void create(
            MemoryImages images, String name, String format, int size, String @Nullable [] backing, Random random)
            throws BlockException {
        Map<String, String> options = new LinkedHashMap<>();
        options.put("size", Integer.toString(size));
        if (format.equals("qcow2")) {
            int ticket = random.nextInt(8);
            options.put("cluster_size", ticket < 3 ? "512" : ticket < 6 ? "4096" : ticket == 6 ? "65536" : "16384");
            options.put("compat", ticket == 0 ? "0.10" : "1.1");
            if (ticket == 7) {
                options.put("extended_l2", "on");
            }
        }
        if (backing != null) {
            options.put("backing_file", backing[0]);
            options.put("backing_fmt", backing[1]);
        }
        try (BlockGraph graph = images.graph()) {
            graph.createImage(name, format.equals("raw") ? "memory" : format, options);
        }
        scribble(images, name, format, random);
    }

    /** Bytes that no other write has written, zeros, and what is discarded. */
    private static void scribble(MemoryImages images, String name, String format, Random random) throws BlockException {
        try (BlockGraph graph = images.graph();
                BlockBackend disk =
                        graph.open(name, OpenOptions.readWrite().format(format).unmap(true))) {
            for (int i = 0; i < 12; i++) {
                long at = 512L * random.nextInt((int) (disk.lengthBytes() / 512));
                long length = Math.min(512L * (1 + random.nextInt(60)), disk.lengthBytes() - at);
                switch (random.nextInt(6)) {
                    case 0 -> disk.writeZeroes(at, length, random.nextBoolean());
                    case 1 -> disk.discard(at, length);
                    default -> {
                        byte[] bytes = new byte[(int) length];
                        random.nextBytes(bytes);
                        disk.write(at, MemorySegment.ofArray(bytes));
                    }
                }
            }
        }
    }

    private static void inspect(
            Recording recording, Map<String, Outcome> outcomes, int position, Map<String, CrashState> disks)
            throws Exception {
        Map<String, SparseBytes> files = new LinkedHashMap<>();
        boolean done = true;
        for (Map.Entry<String, CrashState> each : disks.entrySet()) {
            files.put(each.getKey(), each.getValue().image());
            done &= each.getValue().lastMark(String.class) != null;
        }
        MemoryImages images = new MemoryImages(files, UnaryOperator.identity());
        try {
            requireExpected(recording, outcomes, images, done);
            for (Map.Entry<String, String> each : recording.formats.entrySet()) {
                Outcome outcome = outcomes.get(each.getKey());
                boolean none = outcome != null && outcome.mayBeNone && isNone(images, each.getKey());
                if (each.getValue().equals("qcow2") && !none) {
                    requireHealed(images, each.getKey());
                }
            }
            requireExpected(recording, outcomes, images, done);
        } catch (Exception | AssertionError e) {
            throw new AssertionError(e.getMessage() + "\nafter event " + position + " in " + disks, e);
        }
    }

    private static void requireExpected(
            Recording recording, Map<String, Outcome> outcomes, MemoryImages images, boolean done) throws Exception {
        for (Map.Entry<String, Outcome> each : outcomes.entrySet()) {
            Outcome outcome = each.getValue();
            if (!done && outcome.mayBeNone && isNone(images, each.getKey())) {
                continue;
            }
            String format = recording.formats.get(each.getKey());
            SparseBytes found = images.content(each.getKey(), format == null ? "raw" : format);
            if (!done && "raw".equals(format)) {
                // it is as long as the last write that arrived makes it
                long longest = outcome.after.worlds().get(0).versions().get(0).lengthBytes();
                found.setLengthBytes(Math.max(found.lengthBytes(), longest));
            }
            assertEquals(
                    "",
                    (done ? outcome.after : outcome.between).mismatch(new Found(found, Map.of())),
                    each.getKey() + (done ? ", when all was done" : ""));
        }
    }

    private static boolean isNone(MemoryImages images, String name) {
        try {
            images.check(name, Repair.NONE);
            return false;
        } catch (BlockException e) {
            return true;
        }
    }

    private static void requireHealed(MemoryImages images, String name) throws BlockException {
        CheckReport report = images.check(name, Repair.NONE);
        boolean flagsOnly = report.findings().stream()
                .filter(line -> line.startsWith("ERROR"))
                .allMatch(line -> line.startsWith("ERROR OFLAG_COPIED"));
        assertTrue(
                report.checkErrors() == 0 && (report.corruptions() == 0 || flagsOnly),
                () -> name + " is worse than leaks: " + report);
        images.check(name, Repair.LEAKS);
        CheckReport again = images.check(name, Repair.NONE);
        assertEquals(0, again.corruptions() + again.leaks() + again.checkErrors(), () -> name + " healed: " + again);
    }

    /** The real programs heal a sample, and read the same. */
    @Test
    @RequiresQemu
    void realToolsReadTheSame(@ScratchDir Path directory) throws Exception {
        for (Scenario scenario : scenarios()) {
            Recording recording = record(scenario, FIXED_SEED);
            Map<String, Outcome> outcomes = scenario.promise.of(recording);
            DiskSetCrashStates.forEachState(recording.log, recording.initial, FIXED_SEED, 3, (position, disks) -> {
                for (Map.Entry<String, CrashState> each : disks.entrySet()) {
                    each.getValue().image().writeTo(directory.resolve(each.getKey()));
                }
                for (Map.Entry<String, Outcome> each : outcomes.entrySet()) {
                    Path file = directory.resolve(each.getKey());
                    if ("qcow2".equals(recording.formats.get(each.getKey())) && !each.getValue().mayBeNone) {
                        QemuTools.requireHealedByLeakRepair(file);
                        SparseBytes found = QemuTools.content(file, directory);
                        assertEquals(
                                "",
                                each.getValue().between.mismatch(new Found(found, Map.of())),
                                () -> scenario + ": " + each.getKey() + " in " + disks);
                    }
                }
            });
        }
    }
}
