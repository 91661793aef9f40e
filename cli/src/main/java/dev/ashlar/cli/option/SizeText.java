package dev.ashlar.cli.option;

/**
 * A number of bytes as users write it: decimal with an optional fraction, or hexadecimal after {@code 0x}, and one of the
 * suffixes b, k, M, G, T, P, E (powers of 1024, either case). A fraction needs a suffix and is rounded to the nearest byte;
 * exponents and minus signs are refused.
 *
 * @param bytes the value as an unsigned 64-bit number where {@code problem} is {@code NONE}
 * @param deprecatedSuffix a hexadecimal number carries a suffix, which is about to go away
 */
public record SizeText(long bytes, Problem problem, boolean deprecatedSuffix) {
    /** What is wrong with a text. */
    public enum Problem {
        NONE,
        /** Not a number, or something follows it. */
        INVALID,
        /** At least 2^64. */
        OUT_OF_RANGE
    }

    private static final String SUFFIXES = "BKMGTPE";
    private static final double TWO_TO_63 = 0x1p63;

    public static SizeText of(String text) {
        NumberText number = NumberText.of(text, 10);
        if (number.end() == 0 || number.negative()) {
            return failed(Problem.INVALID);
        }
        if (number.overflow()) {
            return failed(number.end() == text.length() ? Problem.OUT_OF_RANGE : Problem.INVALID);
        }
        char next = charAt(text, number.end());
        if (number.value() == 0 && (next == 'x' || next == 'X')) {
            return hexadecimal(text);
        }
        if (next == '.') {
            return fraction(text, number);
        }
        return scaled(text, number.value(), 0, number.end(), false);
    }

    /** Whether {@code bytes} is a valid signed 64-bit length. */
    public boolean fitsLong() {
        return problem == Problem.NONE && bytes >= 0;
    }

    private static SizeText hexadecimal(String text) {
        NumberText number = NumberText.of(text, 16);
        if (number.overflow()) {
            return failed(number.end() == text.length() ? Problem.OUT_OF_RANGE : Problem.INVALID);
        }
        if (charAt(text, number.end()) == '.') {
            return failed(Problem.INVALID);
        }
        return scaled(text, number.value(), 0, number.end(), true);
    }

    private static SizeText fraction(String text, NumberText number) {
        int end = number.end() + 1;
        while (end < text.length() && text.charAt(end) >= '0' && text.charAt(end) <= '9') {
            end++;
        }
        if (end > number.end() + 1 && hasExponent(text, end)) {
            return failed(Problem.INVALID);
        }
        double part = end > number.end() + 1 ? Double.parseDouble("0" + text.substring(number.end(), end)) : 0;
        double bits = part * 2 * TWO_TO_63;
        long fixedPoint = bits >= TWO_TO_63 ? (long) (bits - TWO_TO_63) + Long.MIN_VALUE : (long) bits;
        return scaled(text, number.value(), fixedPoint, end, false);
    }

    /** Whether an E at the index starts an exponent; it does so only with a digit behind it, else it means exabytes. */
    private static boolean hasExponent(String text, int index) {
        char e = charAt(text, index);
        char next = charAt(text, index + 1);
        if (next == '+' || next == '-') {
            next = charAt(text, index + 2);
        }
        return (e == 'e' || e == 'E') && next >= '0' && next <= '9';
    }

    private static SizeText scaled(String text, long whole, long fixedPointFraction, int end, boolean hex) {
        int power = end < text.length() ? SUFFIXES.indexOf(Character.toUpperCase(text.charAt(end))) : -1;
        int behind = power < 0 ? end : end + 1;
        boolean trailing = behind < text.length();
        if (power <= 0) {
            if (fixedPointFraction != 0 || trailing) {
                return failed(Problem.INVALID);
            }
            return new SizeText(whole, Problem.NONE, hex && power == 0);
        }
        long factor = 1L << (10 * power);
        long high = Math.unsignedMultiplyHigh(whole, factor);
        long low = whole * factor;
        long carried = Math.unsignedMultiplyHigh(fixedPointFraction, factor);
        // One half rounds up.
        carried += (fixedPointFraction * factor) >>> 63;
        long sum = low + carried;
        if (Long.compareUnsigned(sum, low) < 0) {
            high++;
        }
        if (trailing) {
            return failed(Problem.INVALID);
        }
        if (high != 0) {
            return failed(Problem.OUT_OF_RANGE);
        }
        return new SizeText(sum, Problem.NONE, hex);
    }

    private static char charAt(String text, int index) {
        return index < text.length() ? text.charAt(index) : '\0';
    }

    private static SizeText failed(Problem problem) {
        return new SizeText(0, problem, false);
    }
}
