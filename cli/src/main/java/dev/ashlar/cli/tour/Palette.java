package dev.ashlar.cli.tour;

import java.util.Locale;

/**
 * Colours and characters for drawings: colours only on a terminal and only where {@code NO_COLOR} is not set, box characters
 * only where the locale's encoding has them.
 *
 * @param coloured whether escape sequences may be sent
 * @param boxes whether the output shows Unicode
 */
record Palette(boolean coloured, boolean boxes) {
    private static final String RESET = "\u001b[0m";

    /** What this program's terminal and environment allow. */
    @SuppressWarnings("SystemConsoleNull") // It is null where java.base is chosen as its provider.
    static Palette ofEnvironment() {
        String noColour = System.getenv("NO_COLOR");
        boolean plain = noColour != null && !noColour.isEmpty() || "dumb".equals(System.getenv("TERM"));
        java.io.Console terminal = System.console();
        return new Palette(terminal != null && terminal.isTerminal() && !plain, isUnicode());
    }

    private static boolean isUnicode() {
        for (String variable : new String[] {"LC_ALL", "LC_CTYPE", "LANG"}) {
            String value = System.getenv(variable);
            if (value != null && !value.isEmpty()) {
                String encoding = value.toLowerCase(Locale.ROOT);
                return encoding.contains("utf-8") || encoding.contains("utf8");
            }
        }
        return false;
    }

    String title(String text) {
        return paint("1", text);
    }

    String good(String text) {
        return paint("32", text);
    }

    String bad(String text) {
        return paint("31;1", text);
    }

    String faint(String text) {
        return paint("2", text);
    }

    String live(String text) {
        return paint("36", text);
    }

    String kept(String text) {
        return paint("33", text);
    }

    private String paint(String code, String text) {
        return coloured ? "\u001b[" + code + "m" + text + RESET : text;
    }
}
