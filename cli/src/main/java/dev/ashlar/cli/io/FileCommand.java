package dev.ashlar.cli.io;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.img.Preallocations;
import dev.ashlar.cli.option.NumberText;
import dev.ashlar.cli.option.OptionList;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.Preallocation;
import java.io.IOException;

/** Commands about the file as a whole and about the program: {@code open}, {@code reopen}, {@code truncate}, {@code sleep}, … */
final class FileCommand {
    private static final int MAXIMUM_SIGNAL = 64;

    private final Console console;
    private final OpenImage image;
    private final IoCommand.Entry entry;
    private final Numbers numbers;

    FileCommand(Console console, OpenImage image, IoCommand.Entry entry) {
        this.console = console;
        this.image = image;
        this.entry = entry;
        numbers = new Numbers(console);
    }

    /** @param imageOpts the operand is no name but options ({@code --image-opts} of the program) */
    boolean open(String[] words, boolean imageOpts) throws BlockException {
        Arguments arguments = new Arguments(console, entry, words, "snCro:ki:t:d:U");
        OpenSettings settings = new OpenSettings();
        for (int option = arguments.next(); option != OptionScanner.END; option = arguments.next()) {
            if (option != 'o') {
                settings.take(console, option, arguments.scanner());
            } else if (imageOpts) {
                throw numbers.fail("--image-opts and 'open -o' are mutually exclusive");
            } else {
                settings.driverOptions(OptionList.noisily(console, arguments.argument(), null));
            }
        }
        if (arguments.count() > 1) {
            throw arguments.usage();
        }
        if (arguments.count() == 0) {
            return image.open(null, settings);
        }
        if (imageOpts) {
            settings.driverOptions(OptionList.noisily(console, arguments.operand(0), null));
            return image.open(null, settings);
        }
        return image.open(arguments.operand(0), settings);
    }

    boolean reopen(String[] words) throws BlockException {
        return new ReopenCommand(console, image).run(new Arguments(console, entry, words, "c:o:rw"));
    }

    boolean truncate(String[] words) throws BlockException {
        Arguments arguments = new Arguments(console, entry, words, "m:");
        Preallocation preallocation = Preallocation.OFF;
        for (int option = arguments.next(); option != OptionScanner.END; option = arguments.next()) {
            Preallocation mode = Preallocations.of(arguments.argument());
            if (mode == null) {
                console.error("Invalid preallocation mode '" + arguments.argument() + "'");
                return false;
            }
            preallocation = mode;
        }
        if (arguments.count() == 0) {
            throw arguments.usage();
        }
        image.backend().resize(numbers.bytes(arguments.operand(0)), preallocation);
        return true;
    }

    boolean sleep(String[] words) {
        NumberText millis = NumberText.of(words[1], 0);
        if (millis.negative() || !millis.isWhole(words[1], Long.MAX_VALUE)) {
            console.out().print(words[1] + " is not a valid number\n");
            return false;
        }
        try {
            Thread.sleep(millis.value());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return true;
    }

    boolean sigraise(String[] words) {
        long signal = numbers.bytes(words[1]);
        if (signal > MAXIMUM_SIGNAL) {
            console.out().print("signal argument '" + words[1] + "' is too large to be a valid signal\n");
            return false;
        }
        console.flush();
        return raise(Long.toString(signal));
    }

    /** Sends this process a signal; most don't let it come back from here. */
    boolean raise(String signal) {
        String self = Long.toString(ProcessHandle.current().pid());
        try {
            new ProcessBuilder("kill", "-" + signal, self).inheritIO().start().waitFor();
            // The signal may be on its way still.
            Thread.sleep(100);
        } catch (IOException e) {
            console.error("can't raise a signal: " + e.getMessage());
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return true;
    }
}
