package dev.ashlar.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.testkit.host.Command;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * Every option that the help of the real programs names works, beside them, in {@code every-option.txt}: a newer qemu-img that has one more fails this test. What Ashlar
 * refuses is listed here with the reason, and refused by its name.
 */
@RequiresQemu
class EveryOptionTest {
    private static final Pattern OPTION = Pattern.compile("(?<![\\w-])--?[a-zA-Z][-a-z]*");
    private static final Pattern LETTERS = Pattern.compile("(?<=[\\[(| ])-([a-zA-Z]+)");

    /** What is not there, and what it is refused with. */
    private static final Map<String, List<String>> REFUSED = Map.of(
            // The real program's trace points are its own functions.
            "qemu-img -T", List.of("qemu-img", "-T", "x", "info", "x"),
            "qemu-img --trace", List.of("qemu-img", "--trace=x", "info", "x"),
            "qemu-io -T", List.of("qemu-io", "-T", "x"),
            "qemu-io --trace", List.of("qemu-io", "--trace=x"));

    /** What ends the program in a way that no step survives, and what the help names but the program does not know. */
    private static final Set<String> NOT_RUN = Set.of("qemu-io abort", "qemu-io read -a");

    /** What answers in each program's own words. */
    private static final List<String> OWN_WORDS = List.of("-h", "--help", "-V", "--version");

    @Test
    void worksBesideTheRealPrograms(@ScratchDir Path folder) throws IOException {
        Set<String> worked = new LinkedHashSet<>();
        StringBuilder differences = new StringBuilder();
        for (SideBySide.Scenario scenario : SideBySide.Scenario.ofResource("every-option.txt")) {
            Path own = Files.createDirectory(folder.resolve(scenario.name().replace(' ', '-')));
            try (SideBySide sides = new SideBySide(own)) {
                for (String step : scenario.steps()) {
                    differences.append(sides.step(step));
                }
                sides.worked().forEach(words -> addAll(worked, words));
            }
        }
        assertEquals("", differences.toString());
        Set<String> missing = new LinkedHashSet<>(named());
        assertTrue(missing.size() > 150, "too few to be all: " + missing);
        missing.removeAll(worked);
        missing.removeAll(REFUSED.keySet());
        missing.removeAll(NOT_RUN);
        for (String program : List.of("qemu-img", "qemu-io")) {
            for (String option : OWN_WORDS) {
                SideBySide.Outcome outcome = SideBySide.own(program, List.of(option), folder, "");
                assertEquals(0, outcome.status(), option);
                assertTrue(outcome.out().contains(program) && outcome.err().isEmpty(), () -> option + outcome);
                missing.remove(program + " " + option);
            }
        }
        assertEquals(Set.of(), missing, "no line in every-option.txt where this works");
    }

    @Test
    void whatIsRefusedIsRefusedByName(@ScratchDir Path folder) {
        Collection<String> named = named();
        REFUSED.forEach((option, words) -> {
            assertTrue(named.contains(option), option);
            SideBySide.Outcome outcome = SideBySide.own(words.getFirst(), words.subList(1, words.size()), folder, "");
            assertEquals(1, outcome.status(), option);
            assertTrue(
                    outcome.err().matches("qemu-\\w+: [^\n]*'-T'[^\n]* is not supported by Ashlar yet\n"),
                    outcome.err());
        });
    }

    /** {@code qemu-img SUBCOMMAND OPTION}, {@code qemu-img OPTION}, {@code qemu-io OPTION}, {@code qemu-io COMMAND} and {@code qemu-io COMMAND OPTION}. */
    private static Collection<String> named() {
        Set<String> named = new LinkedHashSet<>();
        String help = Command.of("qemu-img", "--help").run().orFail().output();
        String syntax = help.substring(help.indexOf("Command syntax:"), help.indexOf("Command parameters:"));
        syntax.lines()
                .skip(1)
                .map(String::strip)
                .filter(line -> !line.isEmpty())
                .forEach(line -> {
                    String name = line.substring(0, line.indexOf(' '));
                    options(line).forEach(option -> named.add("qemu-img " + name + " " + option));
                });
        options(help.substring(0, help.indexOf("Command syntax:")).replaceAll("(?m)^(?! {4}'-).*$", ""))
                .forEach(option -> named.add("qemu-img " + option));
        Command.of("qemu-io", "--help")
                .run()
                .orFail()
                .output()
                .lines()
                .filter(line -> line.startsWith("  -"))
                .forEach(line -> options(line.substring(0, Math.min(line.length(), 23)))
                        .forEach(option -> named.add("qemu-io " + option)));
        Command.of("qemu-io", "-c", "help")
                .run()
                .orFail()
                .output()
                .lines()
                .filter(line -> line.contains(" -- "))
                .forEach(line -> ioCommand(line, named));
        return named;
    }

    private static void ioCommand(String line, Set<String> named) {
        String syntax = line.substring(0, line.indexOf(" -- ")).strip();
        String name = syntax.split(" ")[0];
        named.add("qemu-io " + name);
        Matcher letters = LETTERS.matcher(syntax.substring(name.length()));
        while (letters.find()) {
            letters.group(1).chars().forEach(letter -> named.add("qemu-io " + name + " -" + (char) letter));
        }
    }

    private static List<String> options(String text) {
        return OPTION.matcher(text).results().map(each -> each.group()).toList();
    }

    private static void addAll(Set<String> worked, List<String> words) {
        String program = words.getFirst();
        String prefix = program.equals("qemu-img") && !words.get(1).startsWith("-")
                ? program + " " + words.get(1) + " "
                : program + " ";
        for (int i = 1; i < words.size(); i++) {
            String word = words.get(i);
            if (word.startsWith("-")) {
                worked.add(prefix + (word.startsWith("--") ? word.replaceAll("=.*", "") : word));
            }
            if (program.equals("qemu-io") && (word.equals("-c") || word.equals("--cmd"))) {
                List<String> command = List.of(words.get(i + 1).split(" "));
                worked.add(prefix + command.getFirst());
                command.stream()
                        .filter(each -> each.startsWith("-"))
                        .forEach(each -> worked.add(prefix + command.getFirst() + " " + each));
            }
        }
    }
}
