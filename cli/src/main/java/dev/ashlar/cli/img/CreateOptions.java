package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.OptionList;
import dev.ashlar.cli.output.Decimals;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.OptionDescriptor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The options of a new image: those of its format, then those of the protocol its file name leads to. */
final class CreateOptions {
    private CreateOptions() {}

    /** Joins the texts of several {@code -o}. */
    static String join(Console console, String before, String text) {
        if (!OptionList.isJoinable(text)) {
            console.error("Invalid option list: " + text);
            throw new ProgramExit(1);
        }
        return before.isEmpty() ? text : before + "," + text;
    }

    /** The options for a file name; an unknown format ends the program with a message that names the file. */
    static List<OptionDescriptor> of(Console console, BlockGraph graph, String fileName, String format) {
        return combined(graph, fileName, format(console, graph, fileName, fileName + ": ", format));
    }

    /** As {@link #of}, with messages that do not name the file. */
    static List<OptionDescriptor> unnamed(Console console, BlockGraph graph, String fileName, String format) {
        return combined(graph, fileName, format(console, graph, fileName, "", format));
    }

    /** Prints the options as {@code -o help} does. */
    static int printHelp(Console console, BlockGraph graph, @Nullable String fileName, String format) {
        BlockDriver driver = format(console, graph, fileName, "", format);
        List<OptionDescriptor> options = fileName == null ? driver.createOptions() : combined(graph, fileName, driver);
        List<String> lines = new ArrayList<>();
        for (OptionDescriptor option : options) {
            String name = "  " + option.name() + "=<" + option.type().label() + ">";
            lines.add(Decimals.left(name, 24) + " - " + option.help());
        }
        Collections.sort(lines);
        console.out().print(fileName == null ? "Supported " + format + " options:\n" : "Supported options:\n");
        for (String line : lines) {
            console.out().print(line + "\n");
        }
        if (fileName == null) {
            console.out().print("\n");
            console.out().print("The protocol level may support further options.\n");
            console.out().print("Specify the target filename to include those options.\n");
        }
        return 0;
    }

    private static BlockDriver format(
            Console console, BlockGraph graph, @Nullable String fileName, String messagePrefix, String format) {
        try {
            graph.requireCreatable(fileName, format);
        } catch (BlockException e) {
            console.error(messagePrefix + e.getMessage());
            throw new ProgramExit(1);
        }
        return graph.driver(format).orElseThrow();
    }

    private static List<OptionDescriptor> combined(BlockGraph graph, String fileName, BlockDriver format) {
        List<OptionDescriptor> options = new ArrayList<>(format.createOptions());
        BlockDriver protocol = null;
        int best = 0;
        for (BlockDriver driver : graph.drivers()) {
            int score = driver.kind() == DriverKind.PROTOCOL ? driver.probeFileName(fileName) : 0;
            if (score > best) {
                best = score;
                protocol = driver;
            }
        }
        if (protocol != null) {
            for (OptionDescriptor option : protocol.createOptions()) {
                addUnlessKnown(options, option);
            }
        }
        return options;
    }

    private static void addUnlessKnown(List<OptionDescriptor> options, OptionDescriptor option) {
        for (OptionDescriptor known : options) {
            if (known.name().equals(option.name())) {
                return;
            }
        }
        options.add(option);
    }
}
