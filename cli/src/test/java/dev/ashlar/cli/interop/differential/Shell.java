package dev.ashlar.cli.interop.differential;

import dev.ashlar.cli.interop.Side;
import dev.ashlar.testkit.host.Command;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Runs command lines by either side, and remembers them for the day on which something differs. */
final class Shell {
    /** The real program measures how fast it derives keys, and gives up where a busy machine upsets its clock. */
    private static final String CLOCK_UPSET = "Unable to get accurate CPU usage";

    private static final int TRIES = 50;

    private final Path directory;
    private final Random random;
    private final List<String> story = new ArrayList<>();
    private int files;

    Shell(Path directory, Random random) {
        this.directory = directory;
        this.random = random;
    }

    Side drawSide() {
        return random.nextBoolean() ? Side.ASHLAR : Side.QEMU;
    }

    /** A file that is not there yet. */
    Path newFile(String prefix) {
        return directory.resolve(prefix + files++);
    }

    Path directory() {
        return directory;
    }

    /** @param words with or without {@code qemu-img} in front */
    Command.Result run(Side side, List<String> words) {
        List<String> line = new ArrayList<>(words);
        if (!line.get(0).equals("qemu-io")) {
            line.add(0, "qemu-img");
        }
        tell(side, line);
        Command.Result result = side.run(line);
        for (int i = 1; i < TRIES && result.errors().contains(CLOCK_UPSET); i++) {
            result = side.run(line);
        }
        return result;
    }

    /** The two say and end the same. @return what the real program said */
    Command.Result runBoth(List<String> words) {
        Command.Result ours = run(Side.ASHLAR, words);
        Command.Result theirs = run(Side.QEMU, words);
        if (ours.exitCode() != theirs.exitCode()
                || !ours.output().equals(theirs.output())
                || !ours.errors().equals(theirs.errors())) {
            throw new AssertionError(words.get(0) + " differs: " + ours + theirs);
        }
        return theirs;
    }

    void tell(Side side, List<String> words) {
        StringBuilder text = new StringBuilder();
        for (String word : words) {
            text.append(word.contains(" ") || word.isEmpty() ? "'" + word + "' " : word + " ");
        }
        story.add(text.append("# ").append(side).toString().replace(directory + "/", ""));
    }

    String story() {
        return String.join("\n", story);
    }
}
