package dev.ashlar.drivers.raw;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import java.util.Map;

/** Reads an option that is a number of bytes, with an optional binary suffix. */
final class SizeOption {
    private static final String SUFFIXES = "bkmgtpe";
    private static final int BITS_PER_STEP = 10;

    private SizeOption() {}

    /** The option's value, at least 0, or {@code absent} where it is not given. */
    static long parse(Map<String, String> options, String name, long absent) throws BlockException {
        String text = options.get(name);
        if (text == null) {
            return absent;
        }
        int end = text.length();
        int step = 0;
        if (end > 1 && !Character.isDigit(text.charAt(end - 1))) {
            step = SUFFIXES.indexOf(Character.toLowerCase(text.charAt(--end)));
        }
        try {
            long number = Long.parseLong(text, 0, end, 10);
            if (number >= 0 && step >= 0) {
                return Math.multiplyExact(number, 1L << step * BITS_PER_STEP);
            }
        } catch (NumberFormatException | ArithmeticException e) {
            // Told below.
        }
        throw new BlockException(Kind.INVALID, "Parameter '" + name + "' expects a size");
    }
}
