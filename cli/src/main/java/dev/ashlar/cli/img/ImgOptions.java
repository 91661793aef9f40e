package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.NumberText;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.cli.option.SizeText;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import java.util.Arrays;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** The options of one subcommand: a scanner that deals with mistakes, help and what is refused by itself. */
final class ImgOptions {
    /** Values of long options that have no letter. */
    static final int OUTPUT = 256;

    static final int BACKING_CHAIN = 257;
    static final int OBJECT = 258;
    static final int IMAGE_OPTS = 259;
    static final int PATTERN = 260;
    static final int FLUSH_INTERVAL = 261;
    static final int NO_DRAIN = 262;
    static final int TARGET_IMAGE_OPTS = 263;
    static final int PREALLOCATION = 265;
    static final int SHRINK = 266;
    static final int SALVAGE = 267;
    static final int TARGET_IS_ZERO = 268;
    static final int FORCE = 269;
    static final int BITMAPS = 275;
    static final int SKIP_BROKEN_BITMAPS = 277;

    private static final LongOption[] COMMON = {
        new LongOption("help", false, 'h'),
        new LongOption("object", true, OBJECT),
        new LongOption("image-opts", false, IMAGE_OPTS),
        new LongOption("force-share", false, 'U')
    };

    private final Console console;
    private final OptionScanner scanner;
    private final boolean explains;
    private boolean imageOpts;
    private boolean targetImageOpts;

    /**
     * @param letters as {@link OptionScanner} takes them; without a leading {@code :} getopt itself says what is wrong, and the help
     *     follows, as some subcommands of qemu-img have it
     */
    ImgOptions(Console console, String[] words, String letters, LongOption... longOptions) {
        this.console = console;
        scanner = new OptionScanner(words, letters, longOptions, console.err());
        explains = !letters.startsWith(":");
    }

    /**
     * For subcommands that open images: with {@code --help}, {@code --object}, {@code --image-opts} and {@code --force-share} besides those given.
     *
     * @param letters as for the constructor, with {@code :} first
     */
    static ImgOptions ofImages(Console console, String[] words, String letters, LongOption... more) {
        LongOption[] all = Arrays.copyOf(COMMON, COMMON.length + more.length);
        System.arraycopy(more, 0, all, COMMON.length, more.length);
        return new ImgOptions(console, words, letters, all);
    }

    /** The next option that the subcommand has to look at, or {@link OptionScanner#END}. */
    int next() throws BlockException {
        int option = scanner.next();
        return switch (option) {
            case ':' -> throw console.usageError("missing argument for option '" + scanner.lastWord() + "'");
            case '?' -> throw mistaken();
            case 'h' -> {
                ImgHelp.print(console);
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
            case TARGET_IMAGE_OPTS -> {
                targetImageOpts = true;
                yield next();
            }
            default -> option;
        };
    }

    private ProgramExit mistaken() throws BlockException {
        if (!explains) {
            return console.usageError("unrecognized option '" + scanner.lastWord() + "'");
        }
        ImgHelp.print(console);
        return new ProgramExit(0);
    }

    /** Whether operands describe images by options ({@code --image-opts}) and are no file names. */
    boolean isImageOpts() {
        return imageOpts;
    }

    /** The same for the target of a conversion. */
    boolean isTargetImageOpts() {
        return targetImageOpts;
    }

    /** Opens an image that stands among the operands: by its name, or as its options say. */
    BlockBackend open(BlockGraph graph, String operand, OpenOptions options) throws BlockException {
        OpenOptions how = console.trust().apply(options, operand);
        return imageOpts
                ? Images.openDescribed(console, graph, operand, how)
                : Images.open(console, graph, operand, how);
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

    /** The only operand. */
    String soleFileName() {
        if (scanner.operandCount() != 1) {
            throw console.usageError("Expecting one image file name");
        }
        return scanner.operand(0);
    }

    /** Reads a size between {@code minimum} and {@code maximum}; otherwise says what is wrong and returns nothing. */
    OptionalLong size(String what, String text, long minimum, long maximum) {
        SizeText size = SizeText.of(text);
        if (size.deprecatedSuffix()) {
            warnOfSuffix(console, text);
        }
        if (size.problem() == SizeText.Problem.INVALID) {
            console.error("Invalid " + what + " specified. You may use k, M, G, T, P or E suffixes for");
            console.error("kilobytes, megabytes, gigabytes, terabytes, petabytes and exabytes.");
            return OptionalLong.empty();
        }
        if (!size.fitsLong() || size.bytes() > maximum || size.bytes() < minimum) {
            console.error("Invalid " + what + " specified. Must be between " + minimum + " and " + maximum + ".");
            return OptionalLong.empty();
        }
        return OptionalLong.of(size.bytes());
    }

    /** As {@link #size(String, String, long, long)}, and ends with status 1 where it is wrong. */
    long requiredSize(String what, String text, long maximum) {
        OptionalLong size = size(what, text, 0, maximum);
        if (size.isEmpty()) {
            throw new ProgramExit(1);
        }
        return size.getAsLong();
    }

    /** Reads a whole number of at most {@code maximum}, or ends with the message. */
    int number(String text, int maximum, String message) {
        NumberText number = NumberText.of(text, 0);
        if (!number.isWhole(text, maximum)) {
            console.error(message);
            throw new ProgramExit(1);
        }
        return (int) number.value();
    }

    /** Whether the result is wanted as JSON. @param output the argument of {@code --output}, or null */
    boolean isJson(@Nullable String output) {
        if (output == null || output.equals("human")) {
            return false;
        }
        if (output.equals("json")) {
            return true;
        }
        console.error("--output must be used with human or json as argument.");
        throw new ProgramExit(1);
    }

    /** Reads the name of a cache mode, or ends with a message and a status. */
    CacheMode cacheMode(String name, String messagePrefix, int status) {
        CacheMode mode = CacheMode.of(name);
        if (mode == null) {
            console.error(messagePrefix + name);
            throw new ProgramExit(status);
        }
        return mode;
    }

    static void warnOfSuffix(Console console, String text) {
        console.warn("Using a multiplier suffix on hex numbers is deprecated: " + text);
    }
}
