package dev.ashlar.cli;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Runs the same steps with the real programs in one folder and with Ashlar, in this virtual machine, in another, and compares what
 * they say and how they end.
 *
 * <p>A step is a line. {@code img …} and {@code io …} are run by both and compared; {@code qemu-img …} and {@code qemu-io …} are run
 * by the real program in both folders and compared as well, so that they show whether both folders hold the same; {@code sh …}
 * prepares both folders. {@code anywhere} before a step leaves out where in the file things lie: some commands of the real program
 * copy several ranges at once, in any order. {@code progress} before a step leaves out all of a line of progress but its end. {@code hold …} starts a real program in both folders that keeps an image open until {@code release}. {@code @} stands for the folder, {@code < TEXT} at the end is standard input with {@code \n} for a line
 * feed.
 */
final class SideBySide implements AutoCloseable {
    private static final Pattern TIMING =
            Pattern.compile("(?:\\d\\d\\.\\d\\d sec|\\d+:\\d\\d:\\d\\d\\.\\d\\d) \\([-\\w. ]+/sec and [-\\w.]+"
                    + " ops/sec\\)|(?<=,1,)\\d+:\\d\\d:\\d\\d\\.\\d\\d,[-\\w.]+,[-\\w.]+");
    private static final Pattern DATE = Pattern.compile("\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d");
    private static final Pattern DATE_JSON = Pattern.compile("\"date-n?sec\": \\d+");
    private static final Pattern HOST_SPACE =
            Pattern.compile("(?m)^disk size: [\\d.]+ [KMG]?i?B$|\"actual-size\": \\d+");
    private static final Pattern PLACE = Pattern.compile("\"offset\": \\d+|[\\d.]+% fragmented");
    /** What is drawn or measured anew for each encrypted image. */
    private static final Pattern KEYS =
            Pattern.compile("(?<=uuid: |uuid\": \")[-0-9a-f]{36}|(?<=iters: |iters\": )\\d+");

    private static final Pattern PROGRESS =
            Pattern.compile("(?: {4}\\([\\d.]+/100%\\)\r)+(?= {4}\\([\\d.]+/100%\\)\r)");

    private static final Pattern SECONDS = Pattern.compile("Run completed in \\d+\\.\\d+ seconds");

    /** What a program said and how it ended. */
    record Outcome(int status, String out, String err) {
        /** Without host offsets and what depends on their order. */
        Outcome unplaced() {
            return new Outcome(status, PLACE.matcher(out).replaceAll("PLACE"), err);
        }

        /** With nothing of a line of progress but its end. */
        Outcome progressed() {
            return new Outcome(status, PROGRESS.matcher(out).replaceAll(""), err);
        }
    }

    private final Path theirs;
    private final Path ours;
    private final List<List<String>> worked = new ArrayList<>();
    private final List<Process> holders = new ArrayList<>();

    /** @param folder where both folders are made */
    SideBySide(Path folder) throws IOException {
        theirs = Files.createDirectory(folder.resolve("a"));
        ours = Files.createDirectory(folder.resolve("b"));
    }

    /** Runs a step. @return what differs, or an empty text */
    String step(String line) {
        String input = "";
        String command = line;
        int redirection = line.indexOf(" < ");
        if (redirection >= 0) {
            input = line.substring(redirection + 3).replace("\\n", "\n");
            command = line.substring(0, redirection);
        }
        List<String> words = split(command);
        String program = words.removeFirst();
        boolean anywhere = program.equals("anywhere");
        boolean progress = program.equals("progress");
        if (anywhere || progress) {
            program = words.removeFirst();
        }
        Outcome one;
        Outcome two;
        switch (program) {
            case "img", "io" -> {
                one = real("qemu-" + program, words, theirs, input);
                two = own("qemu-" + program, words, ours, input);
            }
            case "qemu-img", "qemu-io" -> {
                one = real(program, words, theirs, input);
                two = real(program, words, ours, input);
            }
            case "hold" -> {
                hold(words, theirs);
                hold(words, ours);
                return "";
            }
            case "release" -> {
                close();
                return "";
            }
            case "sh" -> {
                String script = command.substring(3);
                one = real("sh", List.of("-c", script), theirs, input);
                two = real("sh", List.of("-c", script), ours, input);
                if (one.status != 0) {
                    return "the preparation failed: " + line + "\n" + one.err;
                }
                return "";
            }
            default -> throw new IllegalArgumentException("unknown step: " + line);
        }
        if (one.status == 0) {
            words.addFirst("qemu-" + program.replace("qemu-", ""));
            worked.add(words);
        }
        if (progress) {
            return difference(line, one.progressed(), two.progressed());
        }
        return anywhere ? difference(line, one.unplaced(), two.unplaced()) : difference(line, one, two);
    }

    private static String difference(String line, Outcome theirs, Outcome ours) {
        if (theirs.equals(ours)) {
            return "";
        }
        StringBuilder text = new StringBuilder("step: ").append(line).append('\n');
        if (theirs.status != ours.status) {
            text.append("status ")
                    .append(ours.status)
                    .append(", expected ")
                    .append(theirs.status)
                    .append('\n');
        }
        append(text, "standard output", theirs.out, ours.out);
        append(text, "standard error", theirs.err, ours.err);
        return text.toString();
    }

    private static void append(StringBuilder text, String what, String expected, String actual) {
        if (!expected.equals(actual)) {
            text.append(what).append(":\n").append(actual.indent(2));
            text.append("expected:\n").append(expected.indent(2));
        }
    }

    static Outcome real(String program, List<String> words, Path folder, String input) {
        List<String> command = new ArrayList<>();
        command.add(program);
        for (String word : words) {
            command.add(word.replace("@", folder.toString()));
        }
        try {
            Path out = folder.resolveSibling("out");
            Path err = folder.resolveSibling("err");
            Process process = new ProcessBuilder(command)
                    .directory(folder.toFile())
                    .redirectOutput(out.toFile())
                    .redirectError(err.toFile())
                    .start();
            process.getOutputStream().write(input.getBytes(StandardCharsets.UTF_8));
            process.getOutputStream().close();
            int status = process.waitFor();
            return new Outcome(status, normal(Files.readString(out), folder), normal(Files.readString(err), folder));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The command lines that the real program ended with 0, program first. */
    List<List<String>> worked() {
        return worked;
    }

    /** Starts a program and waits for its prompt: by then it has opened its image. */
    private void hold(List<String> words, Path folder) {
        List<String> command =
                words.stream().map(word -> word.replace("@", folder.toString())).toList();
        try {
            Process process =
                    new ProcessBuilder(command).directory(folder.toFile()).start();
            holders.add(process);
            if (process.getInputStream().read() < 0) {
                throw new IllegalStateException("it ended: " + command);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Ends the programs that hold images. */
    @Override
    public void close() {
        for (Process process : holders) {
            try {
                process.getOutputStream().close();
                process.waitFor();
            } catch (IOException e) {
                process.destroyForcibly();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        holders.clear();
    }

    static Outcome own(String program, List<String> words, Path folder, String input) {
        String[] arguments =
                words.stream().map(word -> word.replace("@", folder.toString())).toArray(String[]::new);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int status = Main.run(
                program, arguments, new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)), out, err);
        return new Outcome(
                status,
                normal(out.toString(StandardCharsets.UTF_8), folder),
                normal(err.toString(StandardCharsets.UTF_8), folder));
    }

    private static String normal(String text, Path folder) {
        String same = text.replace(folder.toString(), "@");
        same = TIMING.matcher(same).replaceAll("TIME");
        same = DATE.matcher(same).replaceAll("DATE");
        same = HOST_SPACE.matcher(same).replaceAll("SPACE");
        same = KEYS.matcher(same).replaceAll("DRAWN");
        same = SECONDS.matcher(same).replaceAll("Run completed");
        return DATE_JSON.matcher(same).replaceAll("DATE");
    }

    /** Splits at spaces; single and double quotes hold words together. */
    private static List<String> split(String line) {
        List<String> words = new ArrayList<>();
        StringBuilder word = new StringBuilder();
        boolean inWord = false;
        char quote = 0;
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            if (quote != 0) {
                if (c == quote) {
                    quote = 0;
                } else {
                    word.append(c);
                }
            } else if (c == '"' || c == '\'') {
                quote = c;
                inWord = true;
            } else if (c == ' ') {
                if (inWord) {
                    words.add(word.toString());
                    word.setLength(0);
                }
                inWord = false;
            } else {
                word.append(c);
                inWord = true;
            }
        }
        if (inWord) {
            words.add(word.toString());
        }
        return words;
    }

    /** A named list of steps. */
    record Scenario(String name, List<String> steps) {
        /** Reads those of a file beside the tests. */
        static List<Scenario> ofResource(String file) throws IOException {
            try (InputStream in = SideBySide.class.getResourceAsStream("/side-by-side/" + file)) {
                if (in == null) {
                    throw new IOException("no resource " + file);
                }
                return parse(new String(in.readAllBytes(), StandardCharsets.UTF_8));
            }
        }

        /** Reads scenarios: a line {@code == NAME} starts one, {@code #} a comment. */
        static List<Scenario> parse(String text) {
            List<Scenario> scenarios = new ArrayList<>();
            for (String part : text.split("(?m)^== ")) {
                List<String> lines = Arrays.stream(part.split("\n"))
                        .map(String::strip)
                        .filter(line -> !line.isEmpty() && !line.startsWith("#"))
                        .toList();
                if (!lines.isEmpty()) {
                    scenarios.add(new Scenario(lines.getFirst(), lines.subList(1, lines.size())));
                }
            }
            return scenarios;
        }
    }
}
