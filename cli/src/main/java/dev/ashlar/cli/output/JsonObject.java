package dev.ashlar.cli.output;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * A JSON object and its text form. Members appear in the order in which QEMU's dictionaries yield them: by a hash of the name,
 * since scripts and expected outputs know that order. Text is pure ASCII, so it is valid UTF-8 whatever a name contains.
 */
public final class JsonObject {
    private static final int BUCKETS = 512;

    private final List<String> names = new ArrayList<>();
    private final List<Object> values = new ArrayList<>();

    /** An object with the members of a map; its values may be maps again. */
    public static JsonObject of(Map<?, ?> map) {
        JsonObject object = new JsonObject();
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            object.put(entry.getKey().toString(), entry.getValue());
        }
        return object;
    }

    /** @param value a {@link String}, {@link Boolean}, {@link Number}, {@link List}, {@link Map} or {@link JsonObject} */
    public JsonObject put(String name, Object value) {
        names.add(name);
        values.add(value instanceof Map<?, ?> map ? of(map) : value);
        return this;
    }

    public int size() {
        return names.size();
    }

    /** Indexes of the members in the order to show them. */
    public int[] order() {
        long[] keys = new long[names.size()];
        for (int i = 0; i < keys.length; i++) {
            // Within a bucket the youngest comes first.
            keys[i] = ((long) bucket(names.get(i)) << 32) | (keys.length - i) << 16 | i;
        }
        Arrays.sort(keys);
        int[] order = new int[keys.length];
        for (int i = 0; i < keys.length; i++) {
            order[i] = (int) keys[i] & 0xffff;
        }
        return order;
    }

    public String name(int index) {
        return names.get(index);
    }

    public Object value(int index) {
        return values.get(index);
    }

    /** The text with four spaces per level, without a line feed at the end. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(512);
        write(text, this, 0);
        return text.toString();
    }

    /** The text in one line, as it stands in {@code json:} file names. */
    public String toLine() {
        StringBuilder text = new StringBuilder(128);
        writeLine(text, this);
        return text.toString();
    }

    private static void writeLine(StringBuilder text, JsonObject object) {
        text.append('{');
        String separator = "";
        for (int index : object.order()) {
            text.append(separator);
            quote(text, object.names.get(index));
            text.append(": ");
            Object value = object.values.get(index);
            if (value instanceof JsonObject inner) {
                writeLine(text, inner);
            } else if (value instanceof String string) {
                quote(text, string);
            } else {
                text.append(value);
            }
            separator = ", ";
        }
        text.append('}');
    }

    /** The text of a list of objects. */
    public static String listText(List<JsonObject> list) {
        StringBuilder text = new StringBuilder(512);
        write(text, list, 0);
        return text.toString();
    }

    @SuppressWarnings("IfChainToSwitch") // The bootstrap of a pattern switch costs start time.
    private static void write(StringBuilder text, Object value, int level) {
        if (value instanceof Map<?, ?> map) {
            write(text, of(map), level);
        } else if (value instanceof JsonObject object) {
            text.append('{');
            String separator = "\n";
            for (int index : object.order()) {
                text.append(separator).repeat(' ', 4 * (level + 1));
                quote(text, object.names.get(index));
                text.append(": ");
                write(text, object.values.get(index), level + 1);
                separator = ",\n";
            }
            text.append('\n').repeat(' ', 4 * level).append('}');
        } else if (value instanceof List<?> list) {
            text.append('[');
            String separator = "\n";
            for (Object element : list) {
                text.append(separator).repeat(' ', 4 * (level + 1));
                write(text, element, level + 1);
                separator = ",\n";
            }
            text.append('\n').repeat(' ', 4 * level).append(']');
        } else if (value instanceof String string) {
            quote(text, string);
        } else {
            text.append(value);
        }
    }

    private static void quote(StringBuilder text, String string) {
        text.append('"');
        for (int i = 0; i < string.length(); i++) {
            char c = string.charAt(i);
            switch (c) {
                case '"' -> text.append("\\\"");
                case '\\' -> text.append("\\\\");
                case '\b' -> text.append("\\b");
                case '\f' -> text.append("\\f");
                case '\n' -> text.append("\\n");
                case '\r' -> text.append("\\r");
                case '\t' -> text.append("\\t");
                default -> {
                    if (c < 0x20 || c >= 0x7f) {
                        appendEscape(text, isLoneSurrogate(string, i) ? '\ufffd' : c);
                    } else {
                        text.append(c);
                    }
                }
            }
        }
        text.append('"');
    }

    private static boolean isLoneSurrogate(String string, int index) {
        char c = string.charAt(index);
        if (Character.isHighSurrogate(c)) {
            return index + 1 == string.length() || !Character.isLowSurrogate(string.charAt(index + 1));
        }
        return Character.isLowSurrogate(c) && (index == 0 || !Character.isHighSurrogate(string.charAt(index - 1)));
    }

    private static void appendEscape(StringBuilder text, char c) {
        text.append("\\u");
        for (int shift = 12; shift >= 0; shift -= 4) {
            text.append(Character.toUpperCase(Character.forDigit(c >> shift & 15, 16)));
        }
    }

    /** The bucket of a name: the hash of the tdb database, which mixes length, characters and their places. */
    private static int bucket(String name) {
        int hash = 0x238F13AF * name.length();
        for (int i = 0; i < name.length(); i++) {
            hash += name.charAt(i) << (i * 5 % 24);
        }
        return (1103515243 * hash + 12345) & (BUCKETS - 1);
    }
}
