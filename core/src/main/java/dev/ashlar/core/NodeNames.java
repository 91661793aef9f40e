package dev.ashlar.core;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.PrintableName;
import java.util.HashSet;
import java.util.Set;
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

    /** @param taken names of nodes; @param devices names of devices */
    String reserve(@Nullable String wanted, Set<String> taken, Set<String> devices) throws BlockException {
        if (wanted == null) {
            String name;
            do {
                long number = next++;
                name = "#block" + (number < 10 ? "00" : number < 100 ? "0" : "") + number;
            } while (taken.contains(name) || !reserved.add(name));
            return name;
        }
        if (!isWellFormed(wanted)) {
            throw new BlockException(Kind.INVALID, "Invalid node-name: '" + PrintableName.of(wanted) + "'");
        }
        if (wanted.length() > MAX_LENGTH) {
            throw new BlockException(Kind.INVALID, "Node name too long");
        }
        if (devices.contains(wanted)) {
            throw new BlockException(Kind.EXISTS, "node-name=" + wanted + " is conflicting with a device id");
        }
        if (taken.contains(wanted) || !reserved.add(wanted)) {
            throw new BlockException(Kind.EXISTS, "Duplicate nodes with node-name='" + wanted + "'");
        }
        return wanted;
    }

    void release(String name) {
        reserved.remove(name);
    }

    /** @throws BlockException INVALID, EXISTS */
    void checkDevice(String wanted, Set<String> taken, Set<String> devices) throws BlockException {
        if (!isWellFormed(wanted)) {
            throw new BlockException(Kind.INVALID, "Invalid device name: '" + PrintableName.of(wanted) + "'");
        }
        if (devices.contains(wanted)) {
            throw new BlockException(Kind.EXISTS, "Device with id '" + wanted + "' already exists");
        }
        if (taken.contains(wanted) || reserved.contains(wanted)) {
            throw new BlockException(Kind.EXISTS, "Device name '" + wanted + "' conflicts with an existing node name");
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
