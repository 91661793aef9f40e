package dev.ashlar.cli.img;

import dev.ashlar.cli.output.JsonObject;
import dev.ashlar.core.spi.FormatInfo;
import dev.ashlar.core.spi.PrintableName;
import java.io.PrintStream;
import java.util.List;
import java.util.Map;

/** The part of a report that only the format knows about. */
public final class FormatFacts {
    private static final int INDENT = 4;

    private FormatFacts() {}

    /** Prints the facts of a format, a line each; groups and lists are indented. */
    public static void print(PrintStream out, FormatInfo info) {
        out.print("Format specific information:\n");
        printMembers(out, JsonObject.of(info.specific()), 1);
    }

    private static void printMembers(PrintStream out, JsonObject members, int level) {
        for (int index : members.order()) {
            String label = " ".repeat(INDENT * level) + members.name(index).replace('-', ' ') + ":";
            printValue(out, label, members.value(index), level);
        }
    }

    private static void printValue(PrintStream out, String label, Object value, int level) {
        if (value instanceof JsonObject object) {
            out.print(label + "\n");
            printMembers(out, object, level + 1);
        } else if (value instanceof Map<?, ?> map) {
            printValue(out, label, JsonObject.of(map), level);
        } else if (value instanceof List<?> list) {
            out.print(label + "\n");
            for (int i = 0; i < list.size(); i++) {
                String element = " ".repeat(INDENT * (level + 1)) + "[" + i + "]:";
                printValue(out, element, list.get(i), level + 1);
            }
        } else {
            out.print(label + " " + PrintableName.of(value.toString()) + "\n");
        }
    }
}
