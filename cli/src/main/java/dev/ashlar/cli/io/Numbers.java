package dev.ashlar.cli.io;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.NumberText;
import dev.ashlar.cli.option.SizeText;

/** Numbers in commands. A mistake is told on standard output, as qemu-io does it, and ends the command. */
final class Numbers {
    /** The most bytes one request moves. */
    static final long MAXIMUM_REQUEST_BYTES = 2_147_483_136L;

    private static final int SECTOR = 512;
    private static final int MAXIMUM_PATTERN = 0xff;

    private final Console console;

    Numbers(Console console) {
        this.console = console;
    }

    /** An offset or a length: bytes, with an optional suffix. */
    long bytes(String text) {
        SizeText size = SizeText.of(text);
        if (size.deprecatedSuffix()) {
            console.warn("Using a multiplier suffix on hex numbers is deprecated: " + text);
        }
        if (size.problem() == SizeText.Problem.INVALID) {
            throw fail("Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- " + text);
        }
        if (!size.fitsLong()) {
            throw fail("Parsing error: argument too large -- " + text);
        }
        return size.bytes();
    }

    /** A byte to fill a buffer with. */
    int pattern(String text) {
        NumberText number = NumberText.of(text, 0);
        if (!text.isEmpty() && (number.negative() && number.value() != 0 || !number.isWhole(text, MAXIMUM_PATTERN))) {
            throw fail(text + " is not a valid pattern byte");
        }
        return (int) number.value();
    }

    /** The lengths of a vector, added up. */
    long total(String[] words, int first) {
        long total = 0;
        for (int i = first; i < words.length; i++) {
            long length = bytes(words[i]);
            if (length > MAXIMUM_REQUEST_BYTES) {
                throw fail("Argument '" + words[i] + "' exceeds maximum size " + MAXIMUM_REQUEST_BYTES);
            }
            if (total > MAXIMUM_REQUEST_BYTES - length) {
                throw fail("The total number of bytes exceed the maximum size " + MAXIMUM_REQUEST_BYTES);
            }
            total += length;
        }
        return total;
    }

    void checkSectors(String name, long value) {
        if (value % SECTOR != 0) {
            throw fail(value + " is not a sector-aligned value for '" + name + "'");
        }
    }

    /** Says what is wrong with a command. */
    ProgramExit fail(String message) {
        console.out().print(message + "\n");
        return new ProgramExit(1);
    }
}
