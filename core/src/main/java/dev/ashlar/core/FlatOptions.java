package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Texts that describe nodes, as flattened options ({@code file.driver} and so on) for {@link OpenOptions#driverOptions}: {@code json:}
 * file names and the {@code key=value,…} of {@code --image-opts}. Bounded in size and depth: a name may come from an image.
 */
public final class FlatOptions {
    /** Longest text that is read. */
    public static final int MAX_LENGTH = 1 << 20;

    private static final String JSON_PREFIX = "json:";

    private FlatOptions() {}

    /** Whether a file name is one of the form <code>json:{…}</code>. */
    public static boolean isJson(String fileName) {
        return fileName.startsWith(JSON_PREFIX);
    }

    /**
     * Reads a JSON object, with or without {@code json:} in front. Members of inner objects and elements of lists get the outer name and
     * a dot in front; {@code true} and {@code false} become {@code on} and {@code off}, {@code null} the empty text. Strings may stand in
     * single quotes, as in QEMU.
     *
     * @return the options in the order of the text
     * @throws BlockException INVALID for what is no JSON object, is nested more than 64 times or names an option twice
     */
    public static Map<String, String> ofJson(String text) throws BlockException {
        String json = isJson(text) ? text.substring(JSON_PREFIX.length()) : text;
        requireShort(json);
        try {
            return new JsonReader(json).flatObject();
        } catch (JsonReader.Malformed e) {
            if (e.getMessage() == null) {
                throw new BlockException(Kind.INVALID, "Invalid JSON object given", e);
            }
            throw new BlockException(
                    Kind.INVALID, "Could not parse the JSON options: JSON parse error, " + e.getMessage(), e);
        }
    }

    /**
     * Reads {@code key=value,key=value}. A comma inside a value is doubled. A key without a value is {@code on}, or {@code off} if it
     * begins with {@code no}; a key that is named twice has its last value.
     *
     * @return the options in the order of the text
     * @throws BlockException INVALID for an empty key
     */
    public static Map<String, String> ofKeyval(String text) throws BlockException {
        requireShort(text);
        Map<String, String> options = new LinkedHashMap<>();
        int at = 0;
        while (at < text.length()) {
            int keyEnd = at;
            while (keyEnd < text.length() && text.charAt(keyEnd) != '=' && text.charAt(keyEnd) != ',') {
                keyEnd++;
            }
            String key = text.substring(at, keyEnd);
            if (key.isEmpty()) {
                throw new BlockException(Kind.INVALID, "Invalid parameter ''");
            }
            if (keyEnd == text.length() || text.charAt(keyEnd) == ',') {
                boolean off = key.startsWith("no") && key.length() > 2;
                options.put(off ? key.substring(2) : key, off ? "off" : "on");
                at = keyEnd + 1;
            } else {
                StringBuilder value = new StringBuilder();
                at = readValue(text, keyEnd + 1, value);
                options.put(key, value.toString());
            }
        }
        return options;
    }

    /** @return where the next key begins */
    private static int readValue(String text, int from, StringBuilder value) {
        int at = from;
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c == ',') {
                if (at + 1 >= text.length() || text.charAt(at + 1) != ',') {
                    return at + 1;
                }
                at++;
            }
            value.append(c);
            at++;
        }
        return at;
    }

    private static void requireShort(String text) throws BlockException {
        if (text.length() > MAX_LENGTH) {
            throw new BlockException(Kind.INVALID, "Options of more than " + MAX_LENGTH + " characters");
        }
    }
}
