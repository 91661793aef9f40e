package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.interop.Side;
import dev.ashlar.cli.interop.differential.Deed.Ending;
import dev.ashlar.testkit.host.Command;
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
    private static final Map<String, String> STILL_REFUSED =
            Map.of("Can't shrink an image which has snapshots", "shrinking with snapshots");

    private static final Pattern OVERFLOWS = Pattern.compile(
            "Could not (create|apply) snapshot '.*(Invalid argument|would exceed)|Cannot decrease refcount entry"
                    + " width");

    private final long seed;
    private final Random random;
    private final Tally tally;
    private final Noise noise;
    private final Shell shell;
    private TestedImage image;
    private DeedMenu menu;

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
        this.seed = seed;
        this.tally = tally;
        random = new Random(seed);
        shell = new Shell(directory, random);
        byte[] content = new byte[NOISE_BYTES];
        random.nextBytes(content);
        noise = new Noise(directory.resolve("noise"), content);
        Files.write(noise.file(), content);
        ImageFeatures features = ImageFeatures.draw(random);
        KeyRing keys = features.encrypted() ? new KeyRing(directory, random) : null;
        image = new TestedImage(shell.newFile("disk"), features, keys);
        menu = menuOf(image);
    }

    private DeedMenu menuOf(TestedImage next) {
        return new DeedMenu(random, next, noise, shell, this::goOnWith);
    }

    private void goOnWith(TestedImage next) {
        image = next;
        menu = menuOf(next);
    }

    void create() {
        told(() -> {
            ImageFeatures features = image.features;
            Side side = drawCreator(features);
            List<String> words = new ArrayList<>(List.of("create", "-q", "-f", "qcow2"));
            if (image.keys != null) {
                words.addAll(image.keys.object());
            }
            if (features.hasBacking()) {
                BackingFile backing = new BackingFiles(random, shell)
                        .chain(features.backing(), features.sizeBytes(), features.backingFormat());
                words.addAll(List.of("-b", backing.path.toString(), "-F", backing.format));
                image.model.replaceDisk(backing.shownTo(features.sizeBytes()));
                image.backing = backing;
            }
            words.addAll(List.of("-o", features.options(image.path), image.path.toString()));
            words.add(Long.toString(features.sizeBytes()));
            runOrHandOver(side, words).orFail();
            tally.count(side + " create" + (features.encrypted() ? " encrypted" : ""));
            compare(true);
        });
    }

    /**
     * The real program reads noise in what it allocates ahead on an encrypted disk; and it takes seconds to measure how fast it derives keys, so it makes few encrypted
     * ones.
     */
    private Side drawCreator(ImageFeatures features) {
        return features.encrypted() && (features.isAllocatedAhead() || random.nextInt(3) > 0)
                ? Side.ASHLAR
                : shell.drawSide();
    }

    /**
     * A round: some commands by one side or both in turns, then everything is compared.
     *
     * @param all whether each snapshot is read by both; one of them otherwise
     */
    void round(int deeds, boolean all) {
        told(() -> {
            for (int left = deeds; left > 0; ) {
                Side side = shell.drawSide();
                int count = 1 + random.nextInt(left);
                left -= count;
                turn(side, count);
            }
            compare(all);
            tally.round();
        });
    }

    /** Some commands of one side; those of qemu-io that follow one another share a process. */
    private void turn(Side side, int count) throws Exception {
        List<String> pending = new ArrayList<>();
        Opening opening = Opening.draw(random);
        for (int i = 0; i < count; i++) {
            Deed deed = menu.draw(side, opening);
            switch (deed) {
                case Deed.Io io -> {
                    if (side == Side.QEMU && pending.stream().anyMatch(line -> line.startsWith("write -c"))) {
                        // QEMU 7.2 packs compressed data behind what it packed before, also where that cluster was
                        // freed meanwhile and holds something else: counts get wrong
                        runIo(side, opening, pending);
                    }
                    pending.addAll(io.command().lines().toList());
                    io.effect().run();
                    tally.count(side + " "
                            + verb(io.command().substring(io.command().indexOf('\n') + 1)));
                }
                case Deed.Img img -> {
                    runIo(side, opening, pending);
                    runImg(side, img);
                }
                case Deed.Work work -> {
                    runIo(side, opening, pending);
                    work.action().run();
                    tally.count(work.name());
                }
            }
        }
        runIo(side, opening, pending);
    }

    private static String verb(String command) {
        return command.replaceAll(" [0-9/].*", "");
    }

    /** The subcommand, and the option that says what it does. */
    private static String verb(List<String> words) {
        for (String each : words) {
            if (each.equals("-o")) {
                return words.get(0) + " " + words.get(words.indexOf(each) + 1).replaceAll("=.*", "");
            }
            if (each.matches("-[acdr]|--[a-z]+(=[a-z]+)?") && !each.matches("--object|--image-opts")) {
                return words.get(0) + " " + each;
            }
        }
        return words.get(0);
    }

    private void runIo(Side side, Opening opening, List<String> commands) {
        if (commands.isEmpty()) {
            return;
        }
        List<String> words = new ArrayList<>(List.of("qemu-io"));
        words.addAll(image.addressed(opening.nodeOptions(), true));
        words.addAll(opening.options());
        for (String command : commands) {
            words.addAll(List.of("-c", command));
        }
        words.add(image.name(opening.nodeOptions()));
        commands.clear();
        Command.Result result = shell.run(side, words).orFail();
        if (result.output().contains("failed")) {
            throw new AssertionError(result.toString());
        }
    }

    private Command.Result runOrHandOver(Side side, List<String> words) {
        Command.Result result = shell.run(side, words);
        if (side == Side.ASHLAR && result.exitCode() != 0) {
            for (Map.Entry<String, String> each : STILL_REFUSED.entrySet()) {
                if (result.errors().contains(each.getKey())) {
                    tally.count("not here: " + each.getValue());
                    return shell.run(Side.QEMU, words);
                }
            }
        }
        return result;
    }

    private void runImg(Side side, Deed.Img deed) {
        List<String> words = deed.words();
        Command.Result result = deed.ending() == Ending.REFUSED ? shell.run(side, words) : runOrHandOver(side, words);
        String verb = verb(words);
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
                Command.Result other = shell.run(side.other(), words);
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
            Side healer = image.bitmaps.isEmpty() ? shell.drawSide() : Side.ASHLAR;
            shell.run(healer, image.command(List.of("check", "-q", "-r", "leaks")))
                    .orFail();
        }
    }

    private void compare(boolean all) {
        ImageAgreement agreement = new ImageAgreement(image, shell);
        List<String> names = List.copyOf(image.model.snapshots().keySet());
        if (all) {
            agreement.ofEverything(names);
            return;
        }
        agreement.ofChecks();
        agreement.ofFacts();
        agreement.ofBitmaps();
        agreement.ofMachine();
        if (random.nextInt(3) == 0) {
            agreement.ofMaps();
        }
        agreement.ofContents(names.isEmpty() ? names : List.of(names.get(random.nextInt(names.size()))));
    }

    private void told(Deed.Action work) {
        try {
            work.run();
        } catch (Exception | Error e) {
            throw new AssertionError(
                    "-Dashlar.interop.seed=" + seed + " -Dashlar.interop.rounds=1: " + image.features + "\n"
                            + e.getMessage() + "\nafter\n" + shell.story(),
                    e);
        }
    }
}
