package dev.ashlar.core.spi;

/** Names that come from images or users, made fit for a message: a terminal must not obey them. */
public final class PrintableName {
    private PrintableName() {}

    /** The name with each control character as {@code \xHH}; the name itself where it has none. Any thread. */
    public static String of(String name) {
        int at = 0;
        while (at < name.length() && !Character.isISOControl(name.charAt(at))) {
            at++;
        }
        if (at == name.length()) {
            return name;
        }
        StringBuilder escaped = new StringBuilder(name.length() + 16).append(name, 0, at);
        for (; at < name.length(); at++) {
            char c = name.charAt(at);
            if (Character.isISOControl(c)) {
                escaped.append("\\x").append(Character.forDigit(c >> 4, 16)).append(Character.forDigit(c & 15, 16));
            } else {
                escaped.append(c);
            }
        }
        return escaped.toString();
    }
}
