package dev.ashlar.core;

import java.io.IOException;
import java.util.Objects;

/**
 * A block operation that failed. The message is one line, fit to be shown to a user; {@link #kind()} is what a program
 * decides by.
 *
 * <p>Misuse of the API is never reported with this type but with {@link IllegalArgumentException} or {@link
 * IllegalStateException}.
 */
public class BlockException extends IOException {
    private static final long serialVersionUID = 1L;

    /** What went wrong, as a program needs to tell it apart. The text is what C libraries print for the errno value. */
    public enum Kind {
        /** The medium or the transport failed (EIO). */
        IO("Input/output error", 5),
        /** No space left on the medium (ENOSPC). */
        NO_SPACE("No space left on device", 28),
        /** The file would grow beyond a limit (EFBIG). */
        TOO_LARGE("File too large", 27),
        /** The image contradicts its format (EINVAL or EIO while opening). */
        CORRUPT("Invalid argument", 22),
        /** A field, option or request has a value that can't be used (EINVAL). */
        INVALID("Invalid argument", 22),
        /** The format, driver or host lacks what was asked for (ENOTSUP). */
        UNSUPPORTED("Operation not supported", 95),
        /** A request reaches beyond the end of the node (EIO, as QEMU reports it). */
        OUT_OF_BOUNDS("Input/output error", 5),
        /** The host denies access (EACCES, EPERM). */
        PERMISSION("Permission denied", 1),
        /** The node is read-only (EROFS). */
        READ_ONLY("Read-only file system", 30),
        /** Another process or node holds a permission that conflicts (EAGAIN). */
        LOCKED("Resource temporarily unavailable", 11),
        /** The node has no driver or no medium (ENOMEDIUM). */
        NO_MEDIUM("No medium found", 123),
        /** A file, a snapshot or a node that was named does not exist (ENOENT). */
        NOT_FOUND("No such file or directory", 2),
        /** A file, a snapshot or a node of that name exists already (EEXIST). */
        EXISTS("File exists", 17),
        /** The object is in use in a way that forbids the operation (EBUSY). */
        BUSY("Device or resource busy", 16),
        /** The node or queue was closed, or failed for good after a metadata error. */
        CLOSED("Bad file descriptor", 9);

        private final String reason;
        private final int errno;

        Kind(String reason, int errno) {
            this.reason = reason;
            this.errno = errno;
        }

        /** The nearest errno value of Linux, a positive number. */
        public int errno() {
            return errno;
        }

        /** The text that {@code strerror} gives for the nearest errno value. */
        public String reason() {
            return reason;
        }
    }

    private final Kind kind;
    private final String reason;

    /**
     * @param kind what a program decides by
     * @param message one line for the user, without a full stop and without the program's name
     */
    public BlockException(Kind kind, String message) {
        this(kind, message, kind.reason(), null);
    }

    /** As {@link #BlockException(Kind, String)}, with the exception that caused this one. */
    public BlockException(Kind kind, String message, @org.jspecify.annotations.Nullable Throwable cause) {
        this(kind, message, cause instanceof BlockException b ? b.reason() : kind.reason(), cause);
    }

    /**
     * @param reason the host's own words for the failure (what {@code strerror} says), without path or operation
     */
    public BlockException(
            Kind kind, String message, String reason, @org.jspecify.annotations.Nullable Throwable cause) {
        super(message, cause);
        this.kind = Objects.requireNonNull(kind, "kind");
        this.reason = Objects.requireNonNull(reason, "reason");
    }

    /** What went wrong, for callers that tell failures apart. */
    public Kind kind() {
        return kind;
    }

    /** The host's words for the failure alone, for instance {@code No space left on device}. */
    public String reason() {
        return reason;
    }
}
