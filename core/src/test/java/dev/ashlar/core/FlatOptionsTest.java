package dev.ashlar.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.CharRange;
import net.jqwik.api.constraints.Chars;
import net.jqwik.api.constraints.NotEmpty;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.constraints.StringLength;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FlatOptionsTest {
    @Test
    void objectsAndListsAreFlattened() throws Exception {
        assertEquals(
                Map.of(
                        "driver", "qcow2",
                        "file.driver", "blkdebug",
                        "file.inject-error.0.event", "l2_load",
                        "file.inject-error.0.once", "on",
                        "file.inject-error.1.errno", "-5.0e+2",
                        "file.image.filename", "a\"\\/\n\u00e9\ud83d\ude00'",
                        "lazy-refcounts", "off",
                        "backing", ""),
                FlatOptions.ofJson("json: {\"driver\":\"qcow2\", \"file\" : {'driver':'blkdebug',"
                        + "\"inject-error\":[{\"event\":\"l2_load\",\"once\":true},{\"errno\":-5.0e+2}],"
                        + "\"image.filename\":\"a\\\"\\\\\\/\\n\\u00e9\\ud83d\\uDE00'\"},\t\r\n"
                        + "\"lazy-refcounts\":false,\"backing\":null,\"empty\":{},\"none\":[]} "));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "\"text\"",
                "{",
                "{}}",
                "{} x",
                "{\"a\"}",
                "{\"a\":}",
                "{\"a\":1,}",
                "{,}",
                "{a:1}",
                "{\"\":1}",
                "{\"a\":01}",
                "{\"a\":+1}",
                "{\"a\":1.}",
                "{\"a\":1e}",
                "{\"a\":-}",
                "{\"a\":NaN}",
                "{\"a\":tru}",
                "{\"a\":\"x}",
                "{\"a\":\"\u0001\"}",
                "{\"a\":\"\\u0000\"}",
                "{\"a\":\"\\ud800\"}",
                "{\"a\":\"\\u12g4\"}",
                "{\"a\":\"\\x\"}",
                "{\"a\":[1,2}",
                "{\"a\":1,\"a\":2}",
                "{\"a\":{\"b\":1},\"a.b\":2}"
            })
    void whatIsNoJsonIsRefused(String text) {
        BlockException refused = assertThrows(BlockException.class, () -> FlatOptions.ofJson(text));
        assertEquals(BlockException.Kind.INVALID, refused.kind());
        boolean other = text.startsWith("[") || text.startsWith("\"");
        String begin = other ? "Invalid JSON object given" : "Could not parse the JSON options: JSON parse error, ";
        assertTrue(refused.getMessage().startsWith(begin), refused.getMessage());
    }

    @Test
    void hostileTextIsBounded() throws Exception {
        List<String> hostile = List.of(
                "{\"a\":".repeat(100_000),
                "{\"a\":" + "[".repeat(100_000),
                "{\"" + "k".repeat(2000) + "\":1}",
                "{\"k\":{\"" + "k".repeat(1023) + "\":1}}",
                "{\"a\":\"" + "x".repeat(FlatOptions.MAX_LENGTH) + "\"}");
        for (String text : hostile) {
            assertThrows(BlockException.class, () -> FlatOptions.ofJson(text));
        }
        String deepest = "{\"a\":".repeat(64) + "1" + "}".repeat(64);
        assertEquals(1, FlatOptions.ofJson(deepest).size());
        assertThrows(BlockException.class, () -> FlatOptions.ofJson("{\"a\":".repeat(65) + "1" + "}".repeat(65)));
    }

    @Property(tries = 500)
    void anyTextIsReadOrRefused(
            @ForAll
                    @Chars({'{', '}', '[', ']', '"', '\'', ':', ',', '\\', 'u', '0', '1', 'a', ' ', '.', '-'})
                    @StringLength(max = 40)
                    String text) {
        try {
            assertTrue(FlatOptions.ofJson("{" + text).size() <= text.length());
        } catch (BlockException e) {
            assertEquals(BlockException.Kind.INVALID, e.kind());
        }
    }

    @Property(tries = 500)
    void keyvalCarriesAnyValue(
            @ForAll @NotEmpty @Size(max = 5)
                    Map<@CharRange(from = 'a', to = 'm') @StringLength(min = 1, max = 8) String, String> options)
            throws BlockException {
        StringBuilder text = new StringBuilder();
        options.forEach((key, value) ->
                text.append(text.isEmpty() ? "" : ",").append(key).append('=').append(value.replace(",", ",,")));
        assertEquals(options, FlatOptions.ofKeyval(text.toString()));
    }

    @Test
    void keyvalHasShortForms() throws Exception {
        assertEquals(
                Map.of("driver", "raw", "file.filename", "a,b=c", "read-only", "on", "force-share", "off", "empty", ""),
                FlatOptions.ofKeyval("driver=qcow2,file.filename=a,,b=c,read-only,noforce-share,empty=,driver=raw"));
        assertEquals(Map.of(), FlatOptions.ofKeyval(""));
        assertEquals("Invalid parameter ''", refusal(",a=1"));
        assertEquals("Invalid parameter ''", refusal("=1"));
        assertEquals("Invalid parameter ''", refusal("a,,b"));
    }

    private static String refusal(String text) {
        return String.valueOf(assertThrows(BlockException.class, () -> FlatOptions.ofKeyval(text))
                .getMessage());
    }
}
