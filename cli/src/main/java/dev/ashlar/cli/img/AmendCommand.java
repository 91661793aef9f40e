package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionList;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.cli.output.Decimals;
import dev.ashlar.cli.output.ProgressLine;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.OptionDescriptor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code amend}: changes options of an image that it was created with. */
final class AmendCommand {
    private final Console console;
    private @Nullable String format;
    private @Nullable String optionText;
    private CacheMode cache = CacheMode.WRITEBACK;
    private boolean progress;
    private boolean quiet;
    private boolean force;

    AmendCommand(Console console) {
        this.console = console;
    }

    int run(String[] words) throws BlockException {
        ImgOptions options = new ImgOptions(
                console,
                words,
                ":ho:f:t:pq",
                new LongOption("help", false, 'h'),
                new LongOption("object", true, ImgOptions.OBJECT),
                new LongOption("image-opts", false, ImgOptions.IMAGE_OPTS),
                new LongOption("force", false, ImgOptions.FORCE));
        for (int option = options.next(); option != OptionScanner.END; option = options.next()) {
            switch (option) {
                case 'o' -> {
                    String before = optionText == null ? "" : optionText;
                    optionText = CreateOptions.join(console, before, options.argument());
                }
                case 'f' -> format = options.argument();
                case 't' -> cache = options.cacheMode(options.argument(), "Invalid cache option: ", 1);
                case 'p' -> progress = true;
                case 'q' -> quiet = true;
                default -> force = true;
            }
        }
        if (optionText == null) {
            throw console.usageError("Must specify options (-o)");
        }
        OptionList list = OptionList.of(optionText);
        if (format != null && list.isHelpWanted()) {
            try (BlockGraph graph = console.objects().newGraph()) {
                return printHelp(graph, format);
            }
        }
        if (options.operandCount() != 1) {
            console.error("Expecting one image file name");
            return 1;
        }
        try (BlockGraph graph = console.objects().newGraph();
                BlockBackend image =
                        options.open(graph, options.operand(0), Images.options(true, format, cache, false))) {
            if (list.isHelpWanted()) {
                return printHelp(graph, image.formatName());
            }
            return amend(graph, image, list);
        }
    }

    private int amend(BlockGraph graph, BlockBackend image, OptionList list) throws BlockException {
        BlockDriver driver = driver(graph, image.formatName());
        OptionValues values = new OptionValues(console, "", driver.amendOptions());
        for (OptionList.Entry entry : list.entries()) {
            if (!values.has(entry.name())) {
                console.error("Invalid parameter '" + entry.name() + "'");
                if (isKnown(driver.createOptions(), entry.name())) {
                    console.hint("This option is only supported for image creation");
                }
                return 1;
            }
            values.set(entry.name(), entry.value());
        }
        ProgressLine line = new ProgressLine(console.out(), progress && !quiet, 1);
        line.at(0);
        try {
            Map<String, String> keySlots = encryption(values.asMap());
            Map<String, String> others = new HashMap<>(values.asMap());
            others.keySet().removeAll(keySlots.keySet());
            // first, since it opens the image again, with a passphrase that may be about to go
            if (!others.isEmpty()) {
                image.amend(others, done -> {
                    if (done < 1) {
                        line.at(done * 100);
                    }
                });
            }
            if (!keySlots.isEmpty()) {
                image.changeKeySlots(keySlots, force);
            }
            line.at(100);
        } catch (BlockException e) {
            line.end();
            if (!"Cannot amend the backing file".equals(e.getMessage())) {
                throw e;
            }
            console.error(String.valueOf(e.getMessage()));
            console.hint("You can use 'qemu-img rebase' instead.");
            return 1;
        }
        line.end();
        return 0;
    }

    private static Map<String, String> encryption(Map<String, String> options) {
        Map<String, String> found = new HashMap<>();
        for (Map.Entry<String, String> option : options.entrySet()) {
            if (option.getKey().startsWith("encrypt.")) {
                found.put(option.getKey(), option.getValue());
            }
        }
        return found;
    }

    private static boolean isKnown(List<OptionDescriptor> options, String name) {
        for (OptionDescriptor option : options) {
            if (option.name().equals(name)) {
                return true;
            }
        }
        return false;
    }

    private int printHelp(BlockGraph graph, String name) {
        List<String> lines = new ArrayList<>();
        for (OptionDescriptor option : driver(graph, name).amendOptions()) {
            String text = "  " + option.name() + "=<" + option.type().label() + ">";
            lines.add(Decimals.left(text, 24) + " - " + option.help());
        }
        Collections.sort(lines);
        console.out().print("Amend options for '" + name + "':\n");
        for (String text : lines) {
            console.out().print(text + "\n");
        }
        return 0;
    }

    /** A driver whose options can be amended; anything else ends the program. */
    private BlockDriver driver(BlockGraph graph, String name) {
        BlockDriver driver = graph.driver(name).orElse(null);
        if (driver == null || driver.amendOptions().isEmpty()) {
            console.error(
                    driver == null
                            ? "Invalid or unknown format: '" + name + "'"
                            : "Format driver '" + name + "' does not support option amendment");
            throw new ProgramExit(1);
        }
        return driver;
    }
}
