package dev.ashlar.core;

import dev.ashlar.core.spi.PrintableName;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads one JSON object (RFC 8259) into flattened options. Strict but for one extension that QEMU's reader has too: strings in single
 * quotes. Bounded depth; recursion goes no deeper than the text is nested.
 */
final class JsonReader {
    private static final int MAX_DEPTH = 64;

    /** Longest flattened name: outer names are repeated in front of each inner one. */
    private static final int MAX_NAME_LENGTH = 1024;

    /** What is wrong, and where; without a message: the text is well-formed, but no object. */
    static final class Malformed extends Exception {
        private static final long serialVersionUID = 1L;

        Malformed(@Nullable String message) {
            super(message);
        }
    }

    private final String text;
    private final Map<String, String> options = new LinkedHashMap<>();
    private int at;

    JsonReader(String text) {
        this.text = text;
    }

    /** The options; to be called once. */
    Map<String, String> flatObject() throws Malformed {
        skipBlanks();
        if (peek() != '{') {
            readValue("", 1);
            throw new Malformed(null);
        }
        readObject("", 1);
        skipBlanks();
        if (at < text.length()) {
            throw wrong("text behind the object");
        }
        return options;
    }

    private void readValue(String key, int depth) throws Malformed {
        skipBlanks();
        char c = peek();
        if (c == '{') {
            readObject(key + ".", depth + 1);
        } else if (c == '[') {
            readList(key + ".", depth + 1);
        } else if (c == '"' || c == '\'') {
            put(key, readString());
        } else if (c == '-' || isDigit(c)) {
            put(key, readNumber());
        } else if (takeWord("true")) {
            put(key, "on");
        } else if (takeWord("false")) {
            put(key, "off");
        } else if (takeWord("null")) {
            put(key, "");
        } else {
            throw isLetter(c) ? new Malformed("invalid keyword '" + word() + "'") : wrong("a value is expected");
        }
    }

    private void readObject(String prefix, int depth) throws Malformed {
        requireDepth(depth);
        at++;
        skipBlanks();
        if (take('}')) {
            return;
        }
        do {
            skipBlanks();
            if (peek() != '"' && peek() != '\'') {
                throw wrong("a member's name is expected");
            }
            String name = readString();
            if (name.isEmpty()) {
                throw wrong("a member without a name");
            }
            if (prefix.length() + name.length() > MAX_NAME_LENGTH) {
                throw wrong("names of more than " + MAX_NAME_LENGTH + " characters");
            }
            skipBlanks();
            if (!take(':')) {
                throw wrong("':' is expected");
            }
            readValue(prefix + name, depth);
            skipBlanks();
        } while (take(','));
        if (!take('}')) {
            throw wrong("',' or '}' is expected");
        }
    }

    private void readList(String prefix, int depth) throws Malformed {
        requireDepth(depth);
        at++;
        skipBlanks();
        if (take(']')) {
            return;
        }
        int index = 0;
        do {
            readValue(prefix + index++, depth);
            skipBlanks();
        } while (take(','));
        if (!take(']')) {
            throw wrong("',' or ']' is expected");
        }
    }

    private String readString() throws Malformed {
        char quote = text.charAt(at++);
        StringBuilder value = new StringBuilder();
        while (true) {
            char c = peek();
            if (c < 0x20) {
                throw wrong("a string is not ended");
            }
            at++;
            if (c == quote) {
                return requirePaired(value.toString());
            }
            value.append(c == '\\' ? readEscape() : c);
        }
    }

    private char readEscape() throws Malformed {
        char c = peek();
        at++;
        return switch (c) {
            case '"', '\'', '\\', '/' -> c;
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'u' -> readCodeUnit();
            default -> throw wrong("an unknown escape");
        };
    }

    private char readCodeUnit() throws Malformed {
        int unit = 0;
        for (int i = 0; i < 4; i++) {
            int digit = Character.digit(peek(), 16);
            if (digit < 0 || peek() > 'f') {
                throw wrong("four hexadecimal digits are expected");
            }
            unit = unit << 4 | digit;
            at++;
        }
        if (unit == 0) {
            throw wrong("a string contains a zero character");
        }
        return (char) unit;
    }

    private String requirePaired(String value) throws Malformed {
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (Character.isHighSurrogate(c)
                    && i + 1 < value.length()
                    && Character.isLowSurrogate(value.charAt(i + 1))) {
                i++;
            } else if (Character.isSurrogate(c)) {
                throw wrong("half of a surrogate pair");
            }
        }
        return value;
    }

    private String readNumber() throws Malformed {
        int from = at;
        take('-');
        if (take('0')) {
            if (isDigit(peek())) {
                throw wrong("a number begins with 0");
            }
        } else {
            requireDigits();
        }
        if (take('.')) {
            requireDigits();
        }
        if (take('e') || take('E')) {
            if (!take('+')) {
                take('-');
            }
            requireDigits();
        }
        return text.substring(from, at);
    }

    private void requireDigits() throws Malformed {
        if (!isDigit(peek())) {
            throw wrong("a digit is expected");
        }
        while (isDigit(peek())) {
            at++;
        }
    }

    private void put(String key, String value) throws Malformed {
        if (options.putIfAbsent(key, value) != null) {
            throw wrong("'" + PrintableName.of(key) + "' stands there twice");
        }
    }

    private static boolean isLetter(char c) {
        return c >= 'a' && c <= 'z';
    }

    private String word() {
        int end = at;
        while (end < text.length() && isLetter(text.charAt(end))) {
            end++;
        }
        return text.substring(at, end);
    }

    private void requireDepth(int depth) throws Malformed {
        if (depth > MAX_DEPTH) {
            throw wrong("nested more than " + MAX_DEPTH + " times");
        }
    }

    private boolean takeWord(String word) {
        if (!text.startsWith(word, at)) {
            return false;
        }
        at += word.length();
        return true;
    }

    private boolean take(char c) {
        if (peek() != c) {
            return false;
        }
        at++;
        return true;
    }

    /** The next character, 0 at the end. */
    private char peek() {
        return at < text.length() ? text.charAt(at) : 0;
    }

    private void skipBlanks() {
        while (at < text.length() && " \t\n\r".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    private Malformed wrong(String what) {
        if (at >= text.length()) {
            return new Malformed("premature EOI");
        }
        return new Malformed(String.format(Locale.ROOT, "%s, at character %d", what, at));
    }
}
