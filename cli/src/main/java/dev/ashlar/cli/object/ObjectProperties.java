package dev.ashlar.cli.object;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.FlatOptions;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The properties of one object as the user wrote them: {@code TYPE,key=value,…} with every key given a value, a comma in a value doubled,
 * a key that stands there twice meaning its last value; or a JSON object. Typed as they are taken; what nobody took is refused by name.
 */
final class ObjectProperties {
    private static final String TYPE = "qom-type";

    private final TreeMap<String, String> left;

    private ObjectProperties(Map<String, String> given) {
        left = new TreeMap<>(given);
    }

    static ObjectProperties of(String text) throws BlockException {
        return new ObjectProperties(text.startsWith("{") ? FlatOptions.ofJson(text) : ofKeyval(text));
    }

    private static Map<String, String> ofKeyval(String text) throws BlockException {
        Map<String, String> properties = new LinkedHashMap<>();
        int at = 0;
        while (at < text.length() || properties.isEmpty()) {
            int keyEnd = at;
            while (keyEnd < text.length() && text.charAt(keyEnd) != '=' && text.charAt(keyEnd) != ',') {
                keyEnd++;
            }
            String key = text.substring(at, keyEnd);
            boolean hasValue = keyEnd < text.length() && text.charAt(keyEnd) == '=';
            if (!hasValue && at == 0 && !key.isEmpty()) {
                // What stands first may be the type alone.
                properties.put(TYPE, key);
                at = keyEnd + 1;
                continue;
            }
            if (key.isEmpty()) {
                throw new BlockException(Kind.INVALID, "Invalid parameter ''");
            }
            if (!hasValue) {
                if (key.equals("help")) {
                    properties.put(key, "");
                    at = keyEnd + 1;
                    continue;
                }
                throw new BlockException(Kind.INVALID, "Expected '=' after parameter '" + key + "'");
            }
            StringBuilder value = new StringBuilder();
            at = readValue(text, keyEnd + 1, value);
            properties.put(key, value.toString());
        }
        return properties;
    }

    /** @return where the next key begins */
    private static int readValue(String text, int from, StringBuilder value) {
        int at = from;
        while (at < text.length()) {
            char c = text.charAt(at++);
            if (c == ',') {
                if (at == text.length() || text.charAt(at) != ',') {
                    return at;
                }
                at++;
            }
            value.append(c);
        }
        return at;
    }

    /** The type, which is taken with it. */
    String type() throws BlockException {
        return required(TYPE);
    }

    /** The id, which is taken with it. */
    String id() throws BlockException {
        String id = required("id");
        if (!isIdentifier(id)) {
            throw new BlockException(
                    Kind.INVALID,
                    "Parameter 'id' expects an identifier\n"
                            + "Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.");
        }
        return id;
    }

    /** Whether help is asked for instead of an object. */
    boolean isHelpWanted() {
        return left.containsKey("help");
    }

    @Nullable
    String text(String name) {
        return left.remove(name);
    }

    /** A whole number, or null where it is not given. */
    @Nullable
    Long number(String name, String shownName) throws BlockException {
        String text = left.remove(name);
        if (text == null) {
            return null;
        }
        long value;
        try {
            value = Long.decode(text);
        } catch (NumberFormatException e) {
            throw new BlockException(Kind.INVALID, "Parameter '" + shownName + "' expects integer", e);
        }
        if (value < 0) {
            throw new BlockException(Kind.INVALID, "Property values cannot be negative");
        }
        return value;
    }

    /** @throws BlockException INVALID if a property is left */
    void refuseRest() throws BlockException {
        if (!left.isEmpty()) {
            throw new BlockException(Kind.INVALID, "Parameter '" + left.firstKey() + "' is unexpected");
        }
    }

    private String required(String name) throws BlockException {
        String value = left.remove(name);
        if (value == null) {
            throw new BlockException(Kind.INVALID, "Parameter '" + name + "' is missing");
        }
        return value;
    }

    private static boolean isIdentifier(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean letter = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
            if (!letter && (i == 0 || !(c >= '0' && c <= '9') && "-._".indexOf(c) < 0)) {
                return false;
            }
        }
        return !text.isEmpty();
    }
}
