package dev.ashlar.nativeio;

import java.io.IOException;

/** A system call failed. The message reads {@code write: No space left on device (/path)}. */
public final class ErrnoException extends IOException {
    private static final long serialVersionUID = 1L;

    private final String syscall;
    private final int errno;
    private final String path;

    /**
     * Makes the exception for a failed call.
     *
     * @param syscall name of the call, such as {@code pwrite}
     * @param errno the positive errno
     * @param path the file concerned, or an empty string where there is none
     */
    public ErrnoException(String syscall, int errno, String path) {
        super(syscall + ": " + Errno.text(errno) + (path.isEmpty() ? "" : " (" + path + ")"));
        if (errno <= 0) {
            throw new IllegalArgumentException("errno must be positive: " + errno);
        }
        this.syscall = syscall;
        this.errno = errno;
        this.path = path;
    }

    /** Name of the call that failed. */
    public String syscall() {
        return syscall;
    }

    /** The positive errno, see {@link Errno}. */
    public int errno() {
        return errno;
    }

    /** The C library's text for the errno, without call and path. */
    public String reason() {
        return Errno.text(errno);
    }

    /** The file concerned, or an empty string. */
    public String path() {
        return path;
    }
}
