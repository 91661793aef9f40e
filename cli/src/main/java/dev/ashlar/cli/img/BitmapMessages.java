package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.core.BlockException;

/** What is said of bitmaps in more than one subcommand. */
final class BitmapMessages {
    private BitmapMessages() {}

    /** Reports a failure; one that an inconsistent bitmap is to blame for comes with advice. */
    static void report(Console console, String prefix, BlockException failure) {
        String message = String.valueOf(failure.getMessage());
        console.error(prefix + message);
        if (message.endsWith("is inconsistent and cannot be used")) {
            console.hint("Try block-dirty-bitmap-remove to delete this bitmap from disk");
        }
    }
}
