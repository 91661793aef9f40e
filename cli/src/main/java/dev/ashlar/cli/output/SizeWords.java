package dev.ashlar.cli.output;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;

/** Bytes in human units. */
public final class SizeWords {
    private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    private SizeWords() {}

    /** Three significant digits as {@code qemu-img info} shows them: {@code 196 KiB}, {@code 1.5 GiB}. */
    public static String threeDigits(long bytes) {
        if (bytes == 0) {
            return "0 B";
        }
        double value = unsigned(bytes);
        // A unit starts at 1000 of the one below it, so that three digits are enough.
        int exponent = Math.getExponent(value / (1000.0 / 1024.0));
        int unit = exponent / 10;
        double scaled = value / (1L << (10 * unit));
        if (scaled < 1000 && scaled == Math.rint(scaled)) {
            return (long) scaled + " " + UNITS[unit];
        }
        BigDecimal rounded = new BigDecimal(scaled).round(new MathContext(3, RoundingMode.HALF_EVEN));
        if (rounded.compareTo(BigDecimal.valueOf(1000)) >= 0) {
            // What %g makes of four digits.
            return "1e+03 " + UNITS[unit];
        }
        return rounded.stripTrailingZeros().toPlainString() + " " + UNITS[unit];
    }

    /** Three decimals as {@code qemu-io} shows them: {@code 64 KiB}, {@code 1.500 MiB}, {@code 100 bytes}. */
    public static String threeDecimals(double value) {
        int unit = UNITS.length - 1;
        while (unit > 0 && value < 0x1p10 * (1L << (10 * (unit - 1)))) {
            unit--;
        }
        String text = unit == 0 ? Decimals.fixed(value, 6) : Decimals.fixed(value / (1L << (10 * unit)), 3);
        int zeros = text.indexOf(".000");
        return (zeros < 0 ? text : text.substring(0, zeros)) + (unit == 0 ? " bytes" : " " + UNITS[unit]);
    }

    /** As {@link #threeDecimals(double)}, for a whole number. */
    public static String threeDecimals(long bytes) {
        return threeDecimals((double) bytes);
    }

    private static double unsigned(long value) {
        return value >= 0 ? value : (value >>> 1) * 2.0;
    }
}
