package dev.ashlar.cli.interop;

import dev.ashlar.cli.interop.Deed.Ending;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.host.Command;
import dev.ashlar.testkit.model.ByteModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** The life of one image of the differential test: made by one program, then rounds of commands by either. */
final class DifferentialRun {
    private static final int NOISE_BYTES = 70_001;
    /** What Ashlar does not do, by the words of its refusal: the real program does it in its place, and the tally tells. Anything else that is refused is a failure. */
    private static final Map<String, String> STILL_REFUSED = Map.of(
            "Shrinking images with an external data file is not supported", "shrinking a data file",
            "Preallocation is not supported when resizing images with an external data file",
                    "preallocated growth of a data file",
            "Can't shrink an image which has snapshots", "shrinking with snapshots");

    private static final Pattern OVERFLOWS = Pattern.compile(
            "Could not (create|apply) snapshot '.*(Invalid argument|would exceed)|Cannot decrease refcount entry"
                    + " width");

    private final Path directory;
    private final long seed;
    private final Random random;
    private final Tally tally;
    private final DeedMenu.Noise noise;
    private final List<String> story = new ArrayList<>();
    private int files;
    private final TestedImage image;
    private final DeedMenu menu;

    /** What was done, to be told at the end: what is never done is not tested. */
    static final class Tally {
        private final Map<String, Integer> counts = new TreeMap<>();
        private int rounds;

        synchronized void count(String what) {
            counts.merge(what, 1, Integer::sum);
        }

        synchronized void round() {
            rounds++;
        }

        synchronized int rounds() {
            return rounds;
        }

        @Override
        public synchronized String toString() {
            return rounds + " rounds, " + counts;
        }
    }

    /** @param directory an empty folder */
    DifferentialRun(Path directory, long seed, Tally tally) throws IOException {
        this.directory = directory;
        this.seed = seed;
        this.tally = tally;
        random = new Random(seed);
        byte[] content = new byte[NOISE_BYTES];
        random.nextBytes(content);
        noise = new DeedMenu.Noise(directory.resolve("noise"), content);
        Files.write(noise.file(), content);
        ImageFeatures features = ImageFeatures.draw(random);
        image = new TestedImage(directory.resolve("disk.qcow2"), features, new ByteModel(features.sizeBytes()));
        menu = new DeedMenu(random, image, noise);
    }

    void create() {
        told(() -> {
            ImageFeatures features = image.features;
            Side side = drawSide();
            List<String> words = new ArrayList<>(List.of("create", "-q", "-f", "qcow2"));
            if (features.hasBacking()) {
                Backed backed = backing(features.sizeBytes());
                words.addAll(List.of("-b", backed.file.toString(), "-F", features.backingFormat()));
                image.model.replaceDisk(DeedMenu.above(backed.content, features.sizeBytes()));
                image.backing = backed.file;
            }
            words.addAll(List.of("-o", features.options(image.path), image.path.toString()));
            words.add(Long.toString(features.sizeBytes()));
            runOrHandOver(side, words).orFail();
            tally.count(side + " create");
            compare(true);
        });
    }

    /**
     * A round: some commands by one side or both in turns, then everything is compared.
     *
     * @param all whether each snapshot is read by both; one of them otherwise
     */
    void round(int deeds, boolean all) {
        told(() -> {
            for (int left = deeds; left > 0; ) {
                Side side = drawSide();
                int count = 1 + random.nextInt(left);
                left -= count;
                turn(side, count);
            }
            compare(all);
            tally.round();
        });
    }

    private Side drawSide() {
        return random.nextBoolean() ? Side.ASHLAR : Side.QEMU;
    }

    /** Some commands of one side; those of qemu-io that follow one another share a process. */
    private void turn(Side side, int count) {
        List<String> pending = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Deed deed = menu.draw(side);
            switch (deed) {
                case Deed.Io io -> {
                    if (side == Side.QEMU && pending.stream().anyMatch(line -> line.startsWith("write -c"))) {
                        // QEMU 7.2 packs compressed data behind what it packed before, also where that cluster was
                        // freed meanwhile and holds something else: counts get wrong
                        runIo(side, pending);
                    }
                    pending.addAll(io.command().lines().toList());
                    io.effect().run();
                    tally.count(side + " "
                            + verb(io.command().substring(io.command().indexOf('\n') + 1)));
                }
                case Deed.Img img -> {
                    runIo(side, pending);
                    runImg(side, img);
                }
            }
        }
        runIo(side, pending);
    }

    private static String verb(String command) {
        return command.replaceAll(" [0-9/].*", "");
    }

    private void runIo(Side side, List<String> commands) {
        if (commands.isEmpty()) {
            return;
        }
        List<String> words = new ArrayList<>(List.of("qemu-io", "-f", "qcow2"));
        if (random.nextInt(4) == 0) {
            words.addAll(
                    List.of("-t", List.of("none", "writethrough", "directsync").get(random.nextInt(3))));
        }
        for (String command : commands) {
            words.addAll(List.of("-c", command));
        }
        words.add(image.path.toString());
        commands.clear();
        Command.Result result = run(side, words).orFail();
        if (result.output().contains("failed")) {
            throw new AssertionError(result.toString());
        }
    }

    private Command.Result runOrHandOver(Side side, List<String> words) {
        Command.Result result = run(side, words);
        if (side == Side.ASHLAR && result.exitCode() != 0) {
            for (Map.Entry<String, String> each : STILL_REFUSED.entrySet()) {
                if (result.errors().contains(each.getKey())) {
                    tally.count("not here: " + each.getValue());
                    return run(Side.QEMU, words);
                }
            }
        }
        return result;
    }

    private void runImg(Side side, Deed.Img deed) {
        List<String> words = deed.words();
        Command.Result result = deed.ending() == Ending.REFUSED ? run(side, words) : runOrHandOver(side, words);
        String verb = words.get(0) + (words.get(1).equals("-q") || words.get(1).equals("-f") ? "" : " " + words.get(1));
        switch (deed.ending()) {
            case DONE -> result.orFail();
            case DONE_OR_OVERFLOW -> {
                if (result.exitCode() != 0) {
                    overflowed(side, result);
                    tally.count(side + " " + verb + ": overflow");
                    return;
                }
            }
            case REFUSED -> {
                Command.Result other = run(side.other(), words);
                if (result.exitCode() == 0
                        || result.exitCode() != other.exitCode()
                        || !result.errors().equals(other.errors())) {
                    throw new AssertionError(
                            "not refused in the same way: " + side + " " + result + side.other() + " " + other);
                }
                tally.count("both refuse " + verb);
                return;
            }
        }
        tally.count(side + " " + verb);
        deed.effect().run();
    }

    /** Nothing is changed; what QEMU leaves behind is healed by either. */
    private void overflowed(Side side, Command.Result result) {
        if (!OVERFLOWS.matcher(result.errors()).find()) {
            throw new AssertionError("no overflow: " + result);
        }
        if (side == Side.QEMU) {
            Side healer = image.bitmaps.isEmpty() ? drawSide() : Side.ASHLAR;
            run(healer, List.of("check", "-q", "-f", "qcow2", "-r", "leaks", image.path.toString()))
                    .orFail();
        }
    }

    private void compare(boolean all) {
        ImageAgreement agreement = new ImageAgreement(image, directory);
        agreement.ofChecks();
        agreement.ofFacts();
        if (all || random.nextInt(3) == 0) {
            agreement.ofMaps();
        }
        List<String> names = List.copyOf(image.model.snapshots().keySet());
        if (all || names.isEmpty()) {
            agreement.ofContents(names);
        } else {
            agreement.ofContents(List.of(names.get(random.nextInt(names.size()))));
        }
    }

    private record Backed(Path file, SparseBytes content) {}

    private Backed backing(long imageBytes) {
        long size = switch (image.features.backing()) {
            case SHORTER -> imageBytes / 2 / 512 * 512;
            case LONGER -> imageBytes + 512L * (1 + random.nextInt(3000));
            default -> imageBytes;
        };
        return newBacking(Math.max(size, 512), image.features.backingFormat());
    }

    private Backed newBacking(long sizeBytes, String format) {
        Path file = directory.resolve("base" + files++);
        run(drawSide(), List.of("create", "-q", "-f", format, file.toString(), Long.toString(sizeBytes)))
                .orFail();
        ByteModel model = new ByteModel(sizeBytes);
        List<String> words = new ArrayList<>(List.of("qemu-io", "-f", format));
        for (int i = 0; i < 4; i++) {
            long at = random.nextLong(sizeBytes / 512) * 512;
            long count = Math.min(sizeBytes - at, 512L * (1 + random.nextInt(1000)));
            int pattern = random.nextInt(256);
            model.disk().fill(at, count, (byte) pattern);
            words.addAll(List.of("-c", "write -P " + pattern + " " + at + " " + count));
        }
        words.add(file.toString());
        run(drawSide(), words).orFail();
        return new Backed(file, model.disk());
    }

    /** @param words with or without {@code qemu-img} in front */
    private Command.Result run(Side side, List<String> words) {
        List<String> line = new ArrayList<>(words);
        if (!line.get(0).equals("qemu-io")) {
            line.add(0, "qemu-img");
        }
        StringBuilder text = new StringBuilder();
        for (String word : line) {
            text.append(word.contains(" ") || word.isEmpty() ? "'" + word + "' " : word + " ");
        }
        story.add(text.append("# ").append(side).toString().replace(directory + "/", ""));
        return side.run(line);
    }

    private void told(Runnable work) {
        try {
            work.run();
        } catch (RuntimeException | Error e) {
            throw new AssertionError(
                    "-Dashlar.interop.seed=" + seed + " -Dashlar.interop.rounds=1: " + image.features + "\n"
                            + e.getMessage() + "\nafter\n" + String.join("\n", story),
                    e);
        }
    }
}
