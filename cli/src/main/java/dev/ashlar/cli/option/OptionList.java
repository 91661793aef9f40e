package dev.ashlar.cli.option;

import dev.ashlar.cli.Console;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A comma-separated list of {@code name=value}, as {@code -o} takes it. A doubled comma in a value stands for a comma; a name
 * alone means {@code on}, or {@code off} where it starts with {@code no}; {@code id=} is skipped.
 */
public final class OptionList {
    /** One entry. */
    public record Entry(String name, String value) {}

    private final List<Entry> entries = new ArrayList<>();
    /** What stands there without a value. */
    private final List<Entry> alone = new ArrayList<>();

    private boolean helpWanted;

    private OptionList() {}

    public static OptionList of(String text) {
        return of(text, null);
    }

    /** As {@link #of(String, String)}, and warns of names that stand alone. */
    public static OptionList noisily(Console console, String text, @Nullable String impliedName) {
        OptionList list = of(text, impliedName);
        for (Entry entry : list.alone) {
            String given = entry.value().equals("off") ? "no" + entry.name() : entry.name();
            console.warn("short-form boolean option '" + given + "' deprecated");
            console.hint("Please use " + entry.name() + "=" + entry.value() + " instead");
        }
        return list;
    }

    /** @param impliedName the name of a value that stands first without one; null: there is none */
    public static OptionList of(String text, @Nullable String impliedName) {
        OptionList list = new OptionList();
        int at = impliedName == null ? 0 : list.readFirst(text, impliedName);
        while (at < text.length()) {
            at = list.readEntry(text, at);
        }
        return list;
    }

    /** Whether several texts can be joined by commas: not empty, no comma in front, no odd number of commas at the end. */
    public static boolean isJoinable(String text) {
        if (text.isEmpty() || text.charAt(0) == ',') {
            return false;
        }
        int end = text.length();
        while (end > 0 && text.charAt(end - 1) == ',') {
            end--;
        }
        return (text.length() - end) % 2 == 0;
    }

    /** In the order given; a name may occur again, the last one counts. */
    public List<Entry> entries() {
        return entries;
    }

    /** The last value for a name. */
    public @Nullable String value(String name) {
        for (int i = entries.size() - 1; i >= 0; i--) {
            if (entries.get(i).name().equals(name)) {
                return entries.get(i).value();
            }
        }
        return null;
    }

    /** Whether {@code help} or {@code ?} stands among the names. */
    public boolean isHelpWanted() {
        return helpWanted;
    }

    /** By name; of several values the last one. */
    public Map<String, String> toMap() {
        Map<String, String> map = new LinkedHashMap<>();
        for (Entry entry : entries) {
            map.put(entry.name(), entry.value());
        }
        return map;
    }

    /** Reads a value without a name. @return where the rest begins, 0 where the first entry has a name */
    private int readFirst(String text, String impliedName) {
        int equals = text.indexOf('=');
        int comma = text.indexOf(',');
        if (text.isEmpty() || comma == 0 || equals >= 0 && (comma < 0 || equals < comma)) {
            return 0;
        }
        return readValue(text, 0, impliedName);
    }

    private int readEntry(String text, int start) {
        int at = start;
        while (at < text.length() && text.charAt(at) != '=' && text.charAt(at) != ',') {
            at++;
        }
        String name = text.substring(start, at);
        if (at == text.length() || text.charAt(at) == ',') {
            if (name.startsWith("no")) {
                addAlone(name.substring(2), "off");
            } else {
                helpWanted |= name.equals("help") || name.equals("?");
                addAlone(name, "on");
            }
            return at + 1;
        }
        return readValue(text, at + 1, name);
    }

    private int readValue(String text, int start, String name) {
        StringBuilder value = new StringBuilder();
        int at = start;
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c == ',') {
                if (at + 1 == text.length() || text.charAt(at + 1) != ',') {
                    break;
                }
                at++;
            }
            value.append(c);
            at++;
        }
        add(name, value.toString());
        return at + 1;
    }

    private void addAlone(String name, String value) {
        alone.add(new Entry(name, value));
        add(name, value);
    }

    private void add(String name, String value) {
        if (!name.equals("id")) {
            entries.add(new Entry(name, value));
        }
    }
}
