package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.core.BlockException;

/** The program as {@code qemu-img}: options that stand before the subcommand, and the choice of the subcommand. */
public final class ImgProgram {
    private static final LongOption[] LONG_OPTIONS = {
        new LongOption("help", false, 'h'), new LongOption("version", false, 'V'), new LongOption("trace", true, 'T'),
    };

    private final Console console;

    public ImgProgram(Console console) {
        this.console = console;
    }

    /**
     * @param words the command line; the first word is the program's name
     * @return the exit status
     */
    public int run(String[] words) throws BlockException {
        if (words.length < 2) {
            throw console.usageError("Not enough arguments");
        }
        OptionScanner scanner = new OptionScanner(words, "+:hVT:", LONG_OPTIONS, null);
        int option = scanner.next();
        if (option != OptionScanner.END) {
            return answer(scanner, option);
        }
        if (scanner.operandCount() == 0) {
            return 0;
        }
        String[] rest = new String[scanner.operandCount()];
        System.arraycopy(words, scanner.index(), rest, 0, rest.length);
        return dispatch(rest);
    }

    /** Every option that may stand before the subcommand ends the program. */
    private int answer(OptionScanner scanner, int option) throws BlockException {
        switch (option) {
            case ':' -> throw console.usageError("missing argument for option '" + scanner.lastWord() + "'");
            case '?' -> throw console.usageError("unrecognized option '" + scanner.lastWord() + "'");
            case 'h' -> ImgHelp.print(console);
            case 'V' -> ImgHelp.printVersion(console);
            default -> throw console.unsupported("tracing ('-T')");
        }
        return 0;
    }

    private int dispatch(String[] words) throws BlockException {
        return switch (words[0]) {
            case "amend" -> new AmendCommand(console).run(words);
            case "bench" -> new BenchCommand(console).run(words);
            case "bitmap" -> new BitmapCommand(console).run(words);
            case "check" -> new CheckCommand(console).run(words);
            case "compare" -> new CompareCommand(console).run(words);
            case "convert" -> new ConvertCommand(console).run(words);
            case "commit" -> new CommitCommand(console).run(words);
            case "create" -> new CreateCommand(console).run(words);
            case "dd" -> new DdCommand(console).run(words);
            case "info" -> new InfoCommand(console).run(words);
            case "map" -> new MapCommand(console).run(words);
            case "measure" -> new MeasureCommand(console).run(words);
            case "rebase" -> new RebaseCommand(console).run(words);
            case "resize" -> new ResizeCommand(console).run(words);
            case "snapshot" -> new SnapshotCommand(console).run(words);
            default -> throw console.usageError("Command not found: " + words[0]);
        };
    }
}
