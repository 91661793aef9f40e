package dev.ashlar.cli.output;

/** Makes names harmless that come from images and file systems: a terminal must not obey them. */
public final class Escapes {
    private Escapes() {}

    /** Replaces control characters by {@code \xNN}. */
    public static String name(String text) {
        return escape(text, false);
    }

    /** As {@link #name}, but line feeds stay. */
    public static String lines(String text) {
        return escape(text, true);
    }

    private static String escape(String text, boolean keepLineFeeds) {
        int at = 0;
        while (at < text.length() && !isControl(text.charAt(at), keepLineFeeds)) {
            at++;
        }
        if (at == text.length()) {
            return text;
        }
        StringBuilder escaped = new StringBuilder(text.length() + 16).append(text, 0, at);
        for (; at < text.length(); at++) {
            char c = text.charAt(at);
            if (isControl(c, keepLineFeeds)) {
                escaped.append("\\x").append(Character.forDigit(c >> 4, 16)).append(Character.forDigit(c & 15, 16));
            } else {
                escaped.append(c);
            }
        }
        return escaped.toString();
    }

    private static boolean isControl(char c, boolean keepLineFeeds) {
        if (c == '\n') {
            return !keepLineFeeds;
        }
        return c < 0x20 || c >= 0x7f && c < 0xa0;
    }
}
