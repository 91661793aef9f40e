package dev.ashlar.core.filter;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import org.jspecify.annotations.Nullable;

/** Error numbers of Linux as exceptions. */
final class Errno {
    static final int EIO = 5;

    private Errno() {}

    static BlockException exception(int errno, String message) {
        Kind kind = switch (errno) {
            case 1, 13 -> Kind.PERMISSION;
            case 2 -> Kind.NOT_FOUND;
            case 9 -> Kind.CLOSED;
            case 11 -> Kind.LOCKED;
            case 16 -> Kind.BUSY;
            case 17 -> Kind.EXISTS;
            case 22 -> Kind.INVALID;
            case 27 -> Kind.TOO_LARGE;
            case 28, 122 -> Kind.NO_SPACE;
            case 30 -> Kind.READ_ONLY;
            case 95 -> Kind.UNSUPPORTED;
            case 123 -> Kind.NO_MEDIUM;
            default -> Kind.IO;
        };
        String own = reason(errno);
        String reason = own == null ? kind.reason() : own;
        return new BlockException(kind, message + ": " + reason, reason, null);
    }

    /** What C libraries say, where the kind's own words differ. */
    private static @Nullable String reason(int errno) {
        return switch (errno) {
            case 1 -> "Operation not permitted";
            case 4 -> "Interrupted system call";
            case 6 -> "No such device or address";
            case 12 -> "Cannot allocate memory";
            case 19 -> "No such device";
            case 61 -> "No data available";
            case 110 -> "Connection timed out";
            case 122 -> "Disk quota exceeded";
            case 125 -> "Operation canceled";
            default -> null;
        };
    }
}
