package dev.ashlar.cli.snapshot;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;

/** A scanner for a subcommand's options that deals with mistakes and help by itself, and how images are opened here. */
final class Arguments {
    private final Console console;
    private final OptionScanner scanner;
    private final String usage;

    Arguments(Console console, String[] words, String letters, String usage, LongOption... longOptions) {
        this.console = console;
        this.scanner = new OptionScanner(words, ":h" + letters, longOptions, null);
        this.usage = usage;
    }

    /** The next option that the subcommand has to look at, or {@link OptionScanner#END}. */
    int next() {
        int option = scanner.next();
        return switch (option) {
            case ':' -> throw console.usageError("missing argument for option '" + scanner.lastWord() + "'");
            case '?' -> throw console.usageError("unrecognized option '" + scanner.lastWord() + "'");
            case 'h' -> {
                console.out().print(usage);
                throw new ProgramExit(0);
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

    /** Opens an image; a failure names it. */
    BlockBackend open(BlockGraph graph, String fileName, OpenOptions options) throws BlockException {
        try {
            return graph.open(fileName, console.trust().apply(options, fileName));
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "Could not open '" + fileName + "': " + e.getMessage(), e);
        }
    }
}
