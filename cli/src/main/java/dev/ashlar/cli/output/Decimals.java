package dev.ashlar.cli.output;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** Numbers with padding and decimals, the way C's {@code printf} writes them. */
public final class Decimals {
    private Decimals() {}

    /** {@code %.Nf}: the exact binary value rounded half to even. */
    public static String fixed(double value, int decimals) {
        if (Double.isNaN(value)) {
            return "-nan";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "inf" : "-inf";
        }
        return new BigDecimal(value).setScale(decimals, RoundingMode.HALF_EVEN).toPlainString();
    }

    /** {@code %0N.Mf}. */
    public static String fixed(double value, int decimals, int width) {
        return padLeft(fixed(value, decimals), width, '0');
    }

    /** {@code %0Nd} for numbers that are not negative. */
    public static String zeroPadded(long value, int width) {
        return padLeft(Long.toString(value), width, '0');
    }

    /** {@code %Ns}. */
    public static String right(String text, int width) {
        return padLeft(text, width, ' ');
    }

    /** {@code %-Ns}. */
    public static String left(String text, int width) {
        int missing = width - text.length();
        return missing <= 0 ? text : text + " ".repeat(missing);
    }

    private static String padLeft(String text, int width, char pad) {
        int missing = width - text.length();
        return missing <= 0 ? text : String.valueOf(pad).repeat(missing) + text;
    }
}
