package dev.ashlar.cli.output;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.spi.PrintableName;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OutputTest {
    @ParameterizedTest
    @CsvSource({
        "0, 0 B",
        "1, 1 B",
        "999, 999 B",
        "1000, 0.977 KiB",
        "1023, 0.999 KiB",
        "1024, 1 KiB",
        "200704, 196 KiB",
        "1023488, 1e+03 KiB",
        "1023999, 1e+03 KiB",
        "1024000, 0.977 MiB",
        "1610612736, 1.5 GiB",
        "10485761, 10 MiB",
        "9223372036854775807, 8 EiB",
    })
    void threeDigits(long bytes, String expected) {
        assertEquals(expected, SizeWords.threeDigits(bytes));
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0 bytes",
        "1, 1 bytes",
        "17.505072, 17.505072 bytes",
        "1023, 1023 bytes",
        "1024, 1 KiB",
        "1536, 1.500 KiB",
        "67108864, 64 MiB",
        "2305843009213693952, 2 EiB",
    })
    void threeDecimals(double bytes, String expected) {
        assertEquals(expected, SizeWords.threeDecimals(bytes));
    }

    @Property
    void decimalsAreThoseOfPrintf(@ForAll @DoubleRange(min = -1e12, max = 1e12) double value) {
        // Java's own formatter rounds half up: compare where no tie is near.
        String own = Decimals.fixed(value, 3);
        assertEquals(value, Double.parseDouble(own), 0.0005 + Math.ulp(value));
        assertEquals(3, own.length() - own.indexOf('.') - 1);
    }

    @Test
    void membersComeInTheOrderOfQemusDictionaries() {
        JsonObject json = new JsonObject();
        for (String name : List.of(
                "filename",
                "format",
                "dirty-flag",
                "actual-size",
                "virtual-size",
                "cluster-size",
                "backing-filename",
                "full-backing-filename",
                "backing-filename-format",
                "format-specific",
                "snapshots")) {
            json.put(name, name.length());
        }
        StringBuilder order = new StringBuilder();
        for (int index : json.order()) {
            order.append(json.name(index)).append(' ');
        }
        assertEquals(
                "backing-filename-format snapshots virtual-size filename cluster-size format actual-size"
                        + " format-specific full-backing-filename backing-filename dirty-flag ",
                order.toString());
    }

    @Test
    void jsonIsPlainAsciiWhateverANameContains() {
        String text = new JsonObject()
                .put("a", "\"\\\n\u001b\u00fc\ud83d\ude00\ud83d")
                .put("b", List.of(Map.of("c", true)))
                .toString();
        assertTrue(text.contains("\"\\\"\\\\\\n\\u001B\\u00FC\\uD83D\\uDE00\\uFFFD\""), text);
        assertTrue(text.contains("\"b\": [\n        {\n            \"c\": true\n        }\n    ]"), text);
    }

    @Test
    void controlCharactersOfNamesDoNotReachTheTerminal() {
        assertEquals("a\\x1b[31m\\x0a\\x7f\\x9bü", PrintableName.of("a\u001b[31m\n\u007f\u009bü"));
        assertEquals("a\nb\\x0d", Escapes.lines("a\nb\r"));
    }

    @Test
    void snapshotTable() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        PrintStream out = new PrintStream(bytes, false, StandardCharsets.UTF_8);
        SnapshotInfo snapshot =
                new SnapshotInfo("12", "na\u001bme", 1 << 20, 0, 0, 3_723_004_000_000L, OptionalLong.of(99), 0);
        SnapshotTable.print(out, List.of(snapshot));
        out.flush();
        String line = bytes.toString(StandardCharsets.UTF_8)
                .lines()
                .skip(2)
                .findFirst()
                .orElseThrow();
        assertTrue(line.startsWith("12        na\\x1bme            1 MiB "), line);
        assertTrue(line.endsWith(" 01:02:03.004         99"), line);
    }

    @Property
    void datesAreThoseOfTheCalendar(@ForAll @LongRange(min = 0, max = 0xffff_ffffL) long seconds) {
        String expected = DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ss")
                .withZone(ZoneId.systemDefault())
                .format(Instant.ofEpochSecond(seconds));
        assertEquals(expected, SnapshotTable.localTime(seconds));
    }
}
