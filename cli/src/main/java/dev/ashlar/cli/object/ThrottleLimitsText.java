package dev.ashlar.cli.object;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.filter.ThrottleLimits;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Limits of a throttle group as properties of an object: {@code limits.bps-total=…} or, older, {@code x-bps-total=…}. */
final class ThrottleLimitsText {
    private static final String[] SUFFIXES = {"", "-max", "-max-length"};

    private ThrottleLimitsText() {}

    /** Reads all limits; of two spellings of one limit, {@code limits.} wins. */
    static ThrottleLimits of(ObjectProperties properties) throws BlockException {
        if (properties.text("limits") != null) {
            throw new BlockException(Kind.INVALID, "Invalid parameter type for 'limits', expected: object");
        }
        Map<String, String> texts = new HashMap<>();
        for (String name : names()) {
            Long old = properties.number("x-" + name, "x-" + name);
            Long given = properties.number("limits." + name, "limits." + name);
            Long value = given == null ? old : given;
            if (value != null) {
                texts.put(name, Long.toString(value));
            }
        }
        properties.refuseRest();
        return ThrottleLimits.of(texts);
    }

    /** The properties, as help shows them. */
    static List<String> properties() {
        List<String> lines = new ArrayList<>();
        for (String name : names()) {
            lines.add("x-" + name + "=<int>");
        }
        java.util.Collections.sort(lines);
        lines.add(0, "limits=<ThrottleLimits>");
        return lines;
    }

    private static List<String> names() {
        List<String> names = new ArrayList<>();
        for (ThrottleLimits.Limit limit : ThrottleLimits.Limit.values()) {
            for (String suffix : SUFFIXES) {
                names.add(limit.label() + suffix);
            }
        }
        names.add("iops-size");
        return names;
    }
}
