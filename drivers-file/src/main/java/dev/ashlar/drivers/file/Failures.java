package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.nativeio.Errno;
import dev.ashlar.nativeio.ErrnoException;
import java.util.Objects;

/** Says in core's words what the host said with an errno. */
final class Failures {
    private Failures() {}

    /** The exception for a failed call, with the call's own message. */
    static BlockException of(ErrnoException e) {
        return new BlockException(kindOf(e.errno()), Objects.requireNonNull(e.getMessage()), e.reason(), e);
    }

    /** The exception for a failed call, with the reason behind a message of ours. */
    static BlockException of(String message, ErrnoException e) {
        return new BlockException(kindOf(e.errno()), message + ": " + e.reason(), e.reason(), e);
    }

    /** Throws what a negative result stands for, else passes it through. */
    static long check(String syscall, long result, String path) throws BlockException {
        if (result < 0) {
            throw of(new ErrnoException(syscall, (int) -result, path));
        }
        return result;
    }

    static Kind kindOf(int errno) {
        return switch (errno) {
            case Errno.ENOSPC, Errno.EDQUOT -> Kind.NO_SPACE;
            case Errno.EFBIG, Errno.EOVERFLOW -> Kind.TOO_LARGE;
            case Errno.EPERM, Errno.EACCES -> Kind.PERMISSION;
            case Errno.EROFS -> Kind.READ_ONLY;
            case Errno.ENOENT, Errno.ENOTDIR -> Kind.NOT_FOUND;
            case Errno.EEXIST -> Kind.EXISTS;
            case Errno.EBUSY, Errno.ETXTBSY -> Kind.BUSY;
            case Errno.EAGAIN -> Kind.LOCKED;
            case Errno.EINVAL, Errno.EISDIR, Errno.ELOOP -> Kind.INVALID;
            case Errno.EOPNOTSUPP, Errno.ENOSYS, Errno.ENOTTY, Errno.ENODEV -> Kind.UNSUPPORTED;
            case Errno.EBADF -> Kind.CLOSED;
            case Errno.ENXIO -> Kind.NO_MEDIUM;
            default -> Kind.IO;
        };
    }
}
