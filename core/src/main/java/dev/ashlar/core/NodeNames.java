package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import java.util.HashSet;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Names of nodes and devices: one space for both, by QEMU's rules. A given name begins with a letter and goes on with letters, digits,
 * {@code -}, {@code .} and {@code _}; generated ones begin with {@code #}, which no given one does. Guarded by the graph's lock.
 */
final class NodeNames {
    /** Longest name of a node. */
    static final int MAX_LENGTH = 31;

    /** Names of nodes that are being opened. */
    private final Set<String> reserved = new HashSet<>();

    private long next;

    /** @param taken whether a node has the name; @param device whether a device has it */
    String reserve(@Nullable String wanted, Predicate<String> taken, Predicate<String> device) throws BlockException {
        if (wanted == null) {
            String name;
            do {
                long number = next++;
                name = "#block" + (number < 10 ? "00" : number < 100 ? "0" : "") + number;
            } while (taken.test(name) || !reserved.add(name));
            return name;
        }
        if (!isWellFormed(wanted)) {
            throw new BlockException(Kind.INVALID, "Invalid node-name: '" + FileNames.escape(wanted) + "'");
        }
        if (wanted.length() > MAX_LENGTH) {
            throw new BlockException(Kind.INVALID, "Node name too long");
        }
        if (device.test(wanted)) {
            throw new BlockException(Kind.EXISTS, "node-name=" + wanted + " is conflicting with a device id");
        }
        if (taken.test(wanted) || !reserved.add(wanted)) {
            throw new BlockException(Kind.EXISTS, "Duplicate nodes with node-name='" + wanted + "'");
        }
        return wanted;
    }

    void release(String name) {
        reserved.remove(name);
    }

    /** @throws BlockException INVALID, EXISTS */
    void checkDevice(String wanted, Predicate<String> node, Predicate<String> device) throws BlockException {
        if (!isWellFormed(wanted)) {
            throw new BlockException(Kind.INVALID, "Invalid device name: '" + FileNames.escape(wanted) + "'");
        }
        if (device.test(wanted)) {
            throw new BlockException(Kind.EXISTS, "Device with id '" + wanted + "' already exists");
        }
        if (node.test(wanted) || reserved.contains(wanted)) {
            throw new BlockException(
                    Kind.EXISTS, "Device name '" + wanted + "' conflicts with an existing node name");
        }
    }

    static boolean isWellFormed(String name) {
        if (name.isEmpty() || !isLetter(name.charAt(0))) {
            return false;
        }
        for (int i = 1; i < name.length(); i++) {
            char c = name.charAt(i);
            if (!isLetter(c) && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_') {
                return false;
            }
        }
        return true;
    }

    private static boolean isLetter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }
}
