package dev.ashlar.testkit.qemu;

import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.host.Command;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The real programs. Images are qcow2 unless said otherwise; each method fails with all that the program said. */
public final class QemuTools {
    private QemuTools() {}

    /** Whether both programs are on the path. */
    public static boolean areInstalled() {
        return isOnPath("qemu-img") && isOnPath("qemu-io");
    }

    private static boolean isOnPath(String program) {
        return Stream.of(System.getenv().getOrDefault("PATH", "").split(":"))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
    }

    /** Runs {@code qemu-img} with any exit code. */
    public static Command.Result img(String... arguments) {
        return Command.of(words("qemu-img", arguments)).run();
    }

    /** Runs {@code qemu-io} on an image with any exit code. Each command is one of its own, for instance {@code write -P 1 0 64k}. */
    public static Command.Result io(String format, Path image, List<String> commands) {
        List<String> words = new ArrayList<>(List.of("qemu-io", "-f", format));
        for (String command : commands) {
            words.add("-c");
            words.add(command);
        }
        words.add(image.toString());
        return Command.of(words).run();
    }

    /** Runs {@code qemu-io} on a qcow2 image; it must succeed and find the patterns that it was asked to verify. */
    public static Command.Result io(Path image, String... commands) {
        Command.Result result = io("qcow2", image, List.of(commands)).orFail();
        if (result.output().contains("Pattern verification failed")) {
            throw new AssertionError("pattern, exit code " + result);
        }
        return result;
    }

    private static List<String> words(String program, String... arguments) {
        List<String> words = new ArrayList<>(List.of(program));
        words.addAll(List.of(arguments));
        return words;
    }

    public static void create(Path image, long sizeBytes, String... options) {
        List<String> words = new ArrayList<>(List.of("qemu-img", "create", "-q", "-f", "qcow2"));
        if (options.length > 0) {
            words.addAll(List.of("-o", String.join(",", options)));
        }
        words.addAll(List.of(image.toString(), Long.toString(sizeBytes)));
        Command.of(words).run().orFail();
    }

    /** {@code check} must find nothing: no error, no leak. */
    public static void requireClean(Path image) {
        Command.Result result = img("check", "-f", "qcow2", image.toString());
        if (result.exitCode() != 0 || !result.output().contains("No errors were found on the image.")) {
            throw new AssertionError("check, exit code " + result);
        }
    }

    /** {@code check -r leaks} must leave nothing; what it repaired may be leaks and COPIED flags only. */
    public static void requireHealedByLeakRepair(Path image) {
        Command.Result repair = img("check", "-f", "qcow2", "-r", "leaks", image.toString());
        if (repair.exitCode() != 0) {
            throw new AssertionError("check -r leaks, exit code " + repair);
        }
        requireClean(image);
    }

    /** The disk's content as {@code qemu-img} reads it, backing chain included. @param scratch a folder for a temporary file */
    public static SparseBytes content(Path image, Path scratch) {
        return convert(scratch, List.of("convert", "-f", "qcow2", "-O", "raw", image.toString()));
    }

    /** A snapshot's content as {@code qemu-img} reads it, in the length of the live disk. */
    public static SparseBytes content(Path image, String snapshot, Path scratch) {
        return convert(
                scratch,
                List.of("convert", "-f", "qcow2", "-l", "snapshot.name=" + snapshot, "-O", "raw", image.toString()));
    }

    /** Names of the internal snapshots, in table order; without blanks in them. */
    public static List<String> snapshotNames(Path image) {
        List<String> names = new ArrayList<>();
        for (String line : img("snapshot", "-U", "-l", image.toString())
                .orFail()
                .output()
                .lines()
                .toList()) {
            String[] words = line.strip().split("\\s+");
            if (words.length > 3 && !words[0].equals("ID") && !line.startsWith("Snapshot list")) {
                names.add(words[1]);
            }
        }
        return names;
    }

    private static SparseBytes convert(Path scratch, List<String> arguments) {
        try {
            Path raw = Files.createTempFile(scratch, "content", ".raw");
            try {
                List<String> words = new ArrayList<>(arguments);
                words.add(0, "qemu-img");
                words.add(raw.toString());
                Command.of(words).run().orFail();
                return SparseBytes.of(raw);
            } finally {
                Files.delete(raw);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
