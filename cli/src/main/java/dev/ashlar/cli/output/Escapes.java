package dev.ashlar.cli.output;

import dev.ashlar.core.spi.PrintableName;

/** Makes text harmless that has names from images and file systems in it: a terminal must not obey them. */
public final class Escapes {
    private Escapes() {}

    /** As {@link PrintableName#of}, but line feeds stay. */
    public static String lines(String text) {
        int end = text.indexOf('\n');
        if (end < 0) {
            return PrintableName.of(text);
        }
        StringBuilder escaped = new StringBuilder(text.length() + 16);
        int at = 0;
        for (; end >= 0; end = text.indexOf('\n', at)) {
            escaped.append(PrintableName.of(text.substring(at, end))).append('\n');
            at = end + 1;
        }
        return escaped.append(PrintableName.of(text.substring(at))).toString();
    }
}
