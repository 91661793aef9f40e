package dev.ashlar.cli.option;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A comma-separated list of {@code name=value}, as {@code -o} takes it. A doubled comma in a value stands for a comma; a name
 * alone means {@code on}, or {@code off} where it starts with {@code no}; {@code id=} is skipped.
 */
public final class OptionList {
    /** One entry. */
    public record Entry(String name, String value) {}

    private final List<Entry> entries = new ArrayList<>();
    private boolean helpWanted;

    private OptionList() {}

    public static OptionList of(String text) {
        OptionList list = new OptionList();
        int at = 0;
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

    private int readEntry(String text, int start) {
        int at = start;
        while (at < text.length() && text.charAt(at) != '=' && text.charAt(at) != ',') {
            at++;
        }
        String name = text.substring(start, at);
        if (at == text.length() || text.charAt(at) == ',') {
            if (name.startsWith("no")) {
                add(name.substring(2), "off");
            } else {
                helpWanted |= name.equals("help") || name.equals("?");
                add(name, "on");
            }
            return at + 1;
        }
        StringBuilder value = new StringBuilder();
        at++;
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

    private void add(String name, String value) {
        if (!name.equals("id")) {
            entries.add(new Entry(name, value));
        }
    }
}
