package dev.ashlar.cli.option;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.cli.option.SizeText.Problem;
import java.math.BigDecimal;
import java.math.RoundingMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SizeTextTest {
    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "512, 512",
        "' 7', 7",
        "+7, 7",
        "1k, 1024",
        "1K, 1024",
        "64b, 64",
        "1.5k, 1536",
        "1.M, 1048576",
        "0.5M, 524288",
        "0.0001k, 0",
        "0.0005k, 1",
        "1E, 1152921504606846976",
        "1.5E, 1729382256910270464",
        "0x200, 512",
        "0X1k, 1024",
        "007, 7",
        "9223372036854775807, 9223372036854775807",
        "18446744073709551615, -1",
    })
    void valid(String text, long bytes) {
        assertEquals(new SizeText(bytes, Problem.NONE, text.equals("0X1k")), SizeText.of(text));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "k",
                "x",
                "-1",
                "-0",
                "1kb",
                "1 k",
                "1k ",
                "1.5",
                "1e3",
                "1.5e1M",
                "0x",
                "0x1.5k",
                "0b1",
                "nan",
                "inf",
                ".5M",
                "1..5k",
                "1,5k",
                "99999999999999999999x",
                "16EB",
                "1z"
            })
    void invalid(String text) {
        assertEquals(Problem.INVALID, SizeText.of(text).problem());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"16E", "18446744073709551616", "99999999999999999999", "0x10000000000000000", "17592186044416M"})
    void outOfRange(String text) {
        assertEquals(Problem.OUT_OF_RANGE, SizeText.of(text).problem());
    }

    @Property
    void fractionsAreRoundedToTheNearestByte(
            @ForAll @IntRange(max = 100_000) int whole, @ForAll @IntRange(max = 999) int thousandths) {
        String text = whole + "." + String.format("%03d", thousandths) + "M";
        BigDecimal exact =
                new BigDecimal(whole + "." + String.format("%03d", thousandths)).multiply(new BigDecimal(1 << 20));
        assertEquals(
                exact.setScale(0, RoundingMode.HALF_UP).longValueExact(),
                SizeText.of(text).bytes());
    }
}
