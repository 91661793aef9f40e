package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.OnOff;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The options of one node as they are taken, typed; what nobody took is refused by name. */
final class FilterOptions {
    /** How a message about an option begins that nobody took. */
    private final String refusal;

    private final TreeMap<String, String> left;

    /** The options of a filter. */
    FilterOptions(String driverName, Map<String, String> given) {
        this(given, "Block format '" + driverName + "' does not support");
    }

    /** @param refusal how a message about an unknown option begins */
    FilterOptions(Map<String, String> given, String refusal) {
        this.refusal = refusal;
        this.left = new TreeMap<>(given);
    }

    @Nullable
    String text(String name) {
        return left.remove(name);
    }

    boolean flag(String name, boolean otherwise) throws BlockException {
        String text = left.remove(name);
        return text == null ? otherwise : OnOff.parse(name, text);
    }

    /** A whole number, possibly with a suffix k, M, G, T, P or E (powers of 1024). */
    long size(String name, long otherwise) throws BlockException {
        String text = left.remove(name);
        return text == null ? otherwise : parseSize(name, text);
    }

    /** As {@link #size}, in the range of {@code int}. */
    int number(String name, int otherwise) throws BlockException {
        long value = size(name, otherwise);
        if (value > Integer.MAX_VALUE) {
            throw new BlockException(Kind.INVALID, "Parameter '" + name + "' is too large");
        }
        return (int) value;
    }

    /** Takes all options that begin so, without that beginning. */
    Map<String, String> group(String prefix) {
        Map<String, String> group = new TreeMap<>();
        left.entrySet().removeIf(option -> {
            if (!option.getKey().startsWith(prefix)) {
                return false;
            }
            group.put(option.getKey().substring(prefix.length()), option.getValue());
            return true;
        });
        return group;
    }

    /** @throws BlockException INVALID if an option is left */
    void refuseRest() throws BlockException {
        if (!left.isEmpty()) {
            throw new BlockException(Kind.INVALID, refusal + " the option '" + left.firstKey() + "'");
        }
    }

    private static long parseSize(String name, String text) throws BlockException {
        int digits = 0;
        while (digits < text.length() && text.charAt(digits) >= '0' && text.charAt(digits) <= '9') {
            digits++;
        }
        int shift = switch (text.substring(digits)) {
            case "", "B", "b" -> 0;
            case "k", "K" -> 10;
            case "m", "M" -> 20;
            case "g", "G" -> 30;
            case "t", "T" -> 40;
            case "p", "P" -> 50;
            case "e", "E" -> 60;
            default -> -1;
        };
        try {
            if (digits > 0 && shift >= 0) {
                return Math.multiplyExact(Long.parseLong(text.substring(0, digits)), 1L << shift);
            }
        } catch (NumberFormatException | ArithmeticException e) {
            throw new BlockException(Kind.INVALID, "Parameter '" + name + "' is too large", e);
        }
        throw new BlockException(
                Kind.INVALID,
                "Parameter '" + name + "' expects a whole number, possibly with a suffix k, M, G, T, P or E");
    }
}
