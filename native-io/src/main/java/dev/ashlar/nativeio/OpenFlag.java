package dev.ashlar.nativeio;

import dev.ashlar.nativeio.syscall.Platform;

/**
 * How a {@link LinuxFile} is opened. Exactly one of the three access flags must be given;
 * close-on-exec is always set.
 *
 * @see <a href="https://man7.org/linux/man-pages/man2/open.2.html">open(2)</a>
 */
public enum OpenFlag {
    /** Access: reading only. */
    READ_ONLY(Platform.O_RDONLY),
    /** Access: writing only. */
    WRITE_ONLY(Platform.O_WRONLY),
    /** Access: reading and writing. */
    READ_WRITE(Platform.O_RDWR),
    /** Creates the file when it does not exist. */
    CREATE(Platform.O_CREAT),
    /**
     * With {@link #CREATE}: fails with {@code EEXIST} when the file exists. On a block device: fails
     * when it is in use.
     */
    EXCLUSIVE(Platform.O_EXCL),
    /** Cuts an existing regular file to length 0. */
    TRUNCATE(Platform.O_TRUNC),
    /** Bypasses the page cache; offset, length and address of each transfer must be aligned. */
    DIRECT(Platform.O_DIRECT),
    /** Each write is durable, as if followed by fdatasync. */
    DSYNC(Platform.O_DSYNC),
    /** Fails with {@code ENOTDIR} unless the path is a directory. */
    DIRECTORY(Platform.O_DIRECTORY),
    /** Fails with {@code ELOOP} when the last component of the path is a symbolic link. */
    NOFOLLOW(Platform.O_NOFOLLOW),
    /** Does not wait for a device or a FIFO to become ready. */
    NONBLOCK(Platform.O_NONBLOCK);

    private static final int ACCESS_FLAGS = 3;

    private final int bits;

    OpenFlag(int bits) {
        this.bits = bits;
    }

    /** The kernel's bits for a set of flags, close-on-exec included. */
    static int bitsOf(OpenFlag... flags) {
        int bits = 0;
        int seen = 0;
        for (OpenFlag flag : flags) {
            bits |= flag.bits;
            seen |= 1 << flag.ordinal();
        }
        if (Integer.bitCount(seen & ((1 << ACCESS_FLAGS) - 1)) != 1) {
            throw new IllegalArgumentException("exactly one of READ_ONLY, WRITE_ONLY and READ_WRITE is needed");
        }
        return bits | Platform.O_CLOEXEC;
    }
}
