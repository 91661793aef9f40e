package dev.ashlar.cli.option;

/**
 * Whole numbers as the C library's {@code strtoull} reads them: white space, a sign, digits of the base, with {@code 0x} and
 * {@code 0} as marks of bases 16 and 8.
 *
 * @param value the number, modulo 2^64
 * @param end index of the first character behind it, 0 where there is no number
 * @param overflow the number does not fit into 64 bits unsigned
 * @param negative it has a minus sign
 */
public record NumberText(long value, int end, boolean overflow, boolean negative) {
    /** @param base 10, 16, or 0 to go by the mark */
    public static NumberText of(String text, int base) {
        int at = 0;
        int length = text.length();
        while (at < length && (text.charAt(at) == ' ' || text.charAt(at) >= '\t' && text.charAt(at) <= '\r')) {
            at++;
        }
        boolean negative = false;
        if (at < length && (text.charAt(at) == '-' || text.charAt(at) == '+')) {
            negative = text.charAt(at) == '-';
            at++;
        }
        int radix = base;
        if (at < length && text.charAt(at) == '0' && base != 10) {
            boolean hex = at + 2 < length
                    && (text.charAt(at + 1) == 'x' || text.charAt(at + 1) == 'X')
                    && digit(text.charAt(at + 2)) < 16;
            if (hex) {
                at += 2;
                radix = 16;
            } else if (base == 0) {
                radix = 8;
            }
        }
        if (radix == 0) {
            radix = 10;
        }
        int first = at;
        long value = 0;
        boolean overflow = false;
        while (at < length && digit(text.charAt(at)) < radix) {
            long next = value * radix + digit(text.charAt(at));
            if (Math.unsignedMultiplyHigh(value, radix) != 0 || Long.compareUnsigned(next, value * radix) < 0) {
                overflow = true;
            }
            value = next;
            at++;
        }
        if (at == first) {
            return new NumberText(0, 0, false, false);
        }
        return new NumberText(overflow ? -1 : negative ? -value : value, at, overflow, negative);
    }

    /** Whether the number is all of the text and is at most {@code maximum}. */
    public boolean isWhole(String text, long maximum) {
        return end == text.length() && end > 0 && !overflow && Long.compareUnsigned(value, maximum) <= 0;
    }

    private static int digit(char c) {
        if (c >= '0' && c <= '9') {
            return c - '0';
        }
        if (c >= 'a' && c <= 'z') {
            return c - 'a' + 10;
        }
        if (c >= 'A' && c <= 'Z') {
            return c - 'A' + 10;
        }
        return 99;
    }
}
