package dev.ashlar.cli.snapshot;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionList;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import java.util.Arrays;
import java.util.Map;

/** A scanner for a subcommand's options that deals with mistakes and help by itself, and how images are opened here. */
final class Arguments {
    private static final int OBJECT = 300;
    private static final int IMAGE_OPTS = 301;
    private static final LongOption[] COMMON = {
        new LongOption("help", false, 'h'),
        new LongOption("object", true, OBJECT),
        new LongOption("image-opts", false, IMAGE_OPTS)
    };

    private final Console console;
    private final OptionScanner scanner;
    private final String usage;
    private boolean imageOpts;

    Arguments(Console console, String[] words, String letters, String usage, LongOption... longOptions) {
        this.console = console;
        this.scanner = new OptionScanner(words, ":h" + letters, withCommon(longOptions), null);
        this.usage = usage;
    }

    private static LongOption[] withCommon(LongOption[] own) {
        LongOption[] all = Arrays.copyOf(own, own.length + COMMON.length);
        System.arraycopy(COMMON, 0, all, own.length, COMMON.length);
        return all;
    }

    /** The next option that the subcommand has to look at, or {@link OptionScanner#END}. */
    int next() throws BlockException {
        int option = scanner.next();
        return switch (option) {
            case ':' -> throw console.usageError("missing argument for option '" + scanner.lastWord() + "'");
            case '?' -> throw console.usageError("unrecognized option '" + scanner.lastWord() + "'");
            case 'h' -> {
                console.out().print(usage);
                throw new ProgramExit(0);
            }
            case OBJECT -> {
                console.objects().define(console, scanner.argument());
                yield next();
            }
            case IMAGE_OPTS -> {
                imageOpts = true;
                yield next();
            }
            default -> option;
        };
    }

    String argument() {
        return scanner.argument();
    }

    int operandCount() {
        return scanner.operandCount();
    }

    String operand(int number) {
        return scanner.operand(number);
    }

    String soleFileName() {
        if (scanner.operandCount() != 1) {
            throw console.usageError("Expecting one image file name");
        }
        return scanner.operand(0);
    }

    /** Whether the argument of {@code --output} asks for JSON. */
    boolean isJson(String output) {
        if (!output.equals("json") && !output.equals("human")) {
            console.error("--output must be used with human or json as argument.");
            throw new ProgramExit(1);
        }
        return output.equals("json");
    }

    /** Opens an image by its name, or by its options ({@code --image-opts}); a failure names it. */
    BlockBackend open(BlockGraph graph, String image, OpenOptions options) throws BlockException {
        if (imageOpts && options.format() != null) {
            console.error("--image-opts and --format are mutually exclusive");
            throw new ProgramExit(1);
        }
        Map<String, String> described =
                imageOpts ? OptionList.noisily(console, image, "file").toMap() : Map.of();
        try {
            OpenOptions how = console.trust().apply(options, image);
            return imageOpts ? graph.open(how.driverOptions(described)) : graph.open(image, how);
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "Could not open '" + image + "': " + e.getMessage(), e);
        }
    }
}
