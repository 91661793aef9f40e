package dev.ashlar.cli.io;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.img.ImgHelp;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionList;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.core.BlockException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The program as {@code qemu-io}: commands from {@code -c} or else from standard input, on one image. */
public final class IoProgram {
    private static final int OBJECT = 256;
    private static final int IMAGE_OPTS = 257;
    private static final int MAXIMUM_LINE_BYTES = 1023;
    private static final LongOption[] LONG_OPTIONS = {
        new LongOption("help", false, 'h'),
        new LongOption("version", false, 'V'),
        new LongOption("cmd", true, 'c'),
        new LongOption("format", true, 'f'),
        new LongOption("read-only", false, 'r'),
        new LongOption("snapshot", false, 's'),
        new LongOption("nocache", false, 'n'),
        new LongOption("copy-on-read", false, 'C'),
        new LongOption("misalign", false, 'm'),
        new LongOption("native-aio", false, 'k'),
        new LongOption("aio", true, 'i'),
        new LongOption("discard", true, 'd'),
        new LongOption("cache", true, 't'),
        new LongOption("trace", true, 'T'),
        new LongOption("object", true, OBJECT),
        new LongOption("image-opts", false, IMAGE_OPTS),
        new LongOption("force-share", false, 'U'),
    };
    private static final String HELP = """
        Reads and writes parts of a disk image, the way qemu-io does.

          -c, --cmd COMMAND      run a command; may be given several times. Without it, commands
                                 are read from standard input, one a line
          -f, --format FMT       the image's format; else it is found out
          -r, --read-only        open the image for reading only
          -n, --nocache          past the host's cache (O_DIRECT); the same as -t none
          -t, --cache MODE       none, writeback, writethrough (as without -t), directsync, unsafe
          -d, --discard MODE     ignore (or off), unmap (or on, as without -d)
          -i, --aio MODE         io_uring, native or threads: taken, but the fastest there is is used
          -k, --native-aio       the same as -i native
          -m, --misalign         use buffers in memory that are not aligned
          -s, --snapshot         write to a temporary overlay that goes away in the end
          -C, --copy-on-read     keep what is read from backing files in the image
              --image-opts       FILE is no name but the options of an image
              --object DEF       define a throttle group or a secret
          -T, --trace TRACE      refused: there is nothing to trace
          -U, --force-share      take no locks: the image may be in use elsewhere
          -h, --help             this text
          -V, --version          which version this is

        """;

    private final Console console;
    private final List<String> commands = new ArrayList<>();
    private boolean imageOpts;

    public IoProgram(Console console) {
        this.console = console;
    }

    /**
     * @param words the command line; the first word is the program's name
     * @return the exit status
     */
    public int run(String[] words) throws BlockException {
        OptionScanner scanner = new OptionScanner(words, "hVc:d:f:rsnCmki:t:T:U", LONG_OPTIONS, console.err());
        OpenSettings settings = new OpenSettings();
        for (int option = scanner.next(); option != OptionScanner.END; option = scanner.next()) {
            switch (option) {
                case 'c' -> commands.add(scanner.argument());
                case 'V' -> {
                    console.out().print(ImgHelp.versionLine(console.program()));
                    return 0;
                }
                case 'h' -> {
                    printHelp();
                    return 0;
                }
                case 'T' -> throw console.unsupported("tracing ('-T')");
                case OBJECT -> console.objects().define(console, scanner.argument());
                case IMAGE_OPTS -> imageOpts = true;
                case '?' -> {
                    printHelp();
                    return 1;
                }
                default -> settings.take(console, option, scanner);
            }
        }
        if (scanner.operandCount() > 1) {
            printHelp();
            return 1;
        }
        if (imageOpts && settings.hasFormat()) {
            throw fail(console, "--image-opts and -f are mutually exclusive");
        }
        console.err().flush();
        try (OpenImage image = new OpenImage(console, settings.misaligned())) {
            if (scanner.operandCount() == 1 && !open(image, scanner.operand(0), settings)) {
                return 1;
            }
            boolean good = loop(new IoCommand(console, image, imageOpts));
            return image.finish() && good ? 0 : 1;
        } catch (BlockException e) {
            console.error(String.valueOf(e.getMessage()));
            return 1;
        }
    }

    private boolean open(OpenImage image, String operand, OpenSettings settings) throws BlockException {
        if (!imageOpts) {
            return image.open(operand, settings);
        }
        settings.driverOptions(OptionList.noisily(console, operand, null));
        return image.open(null, settings);
    }

    private void printHelp() {
        String name = console.program().equals("ashlar") ? "ashlar io" : console.program();
        console.out().print("Usage: " + name + " [OPTIONS]... [-c COMMAND]... [FILE]\n" + HELP);
        console.out().print("'" + name + " -c help' lists the commands.\n");
    }

    /** @return whether all commands went well */
    private boolean loop(IoCommand command) {
        boolean good = true;
        if (!commands.isEmpty()) {
            for (String line : commands) {
                if (command.isQuitting()) {
                    break;
                }
                good &= command.run(line);
            }
            return good;
        }
        while (!command.isQuitting()) {
            console.out().print("qemu-io> ");
            console.flush();
            String line = readLine(console.in());
            if (line == null) {
                break;
            }
            good &= command.run(line);
        }
        return good;
    }

    /** Reads a line, or the part of an overlong one that fits; null at the end. */
    private static @Nullable String readLine(InputStream in) {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        try {
            int next = in.read();
            if (next < 0) {
                return null;
            }
            while (next >= 0 && next != '\n') {
                line.write(next);
                if (line.size() == MAXIMUM_LINE_BYTES) {
                    break;
                }
                next = in.read();
            }
        } catch (IOException e) {
            return null;
        }
        return line.toString(StandardCharsets.UTF_8);
    }

    /** Ends the program with a message. */
    static ProgramExit fail(Console console, String message) {
        console.error(message);
        return new ProgramExit(1);
    }
}
