package dev.ashlar.nativeio.syscall;

/**
 * System call numbers and open flags of the running processor.
 *
 * <p>x86-64 has a table of its own, aarch64 uses the kernel's generic one ({@code
 * include/uapi/asm-generic/unistd.h}). Everything else that this module passes to the kernel
 * (structures, ioctl numbers, errno values) is equal on both.
 */
public final class Platform {
    private static final boolean AARCH64 = detectAarch64();

    public static final int WRITE = AARCH64 ? 64 : 1;
    public static final int CLOSE = AARCH64 ? 57 : 3;
    public static final int LSEEK = AARCH64 ? 62 : 8;
    public static final int MMAP = AARCH64 ? 222 : 9;
    public static final int MUNMAP = AARCH64 ? 215 : 11;
    public static final int IOCTL = AARCH64 ? 29 : 16;
    public static final int PREAD64 = AARCH64 ? 67 : 17;
    public static final int PWRITE64 = AARCH64 ? 68 : 18;
    public static final int MSYNC = AARCH64 ? 227 : 26;
    public static final int MADVISE = AARCH64 ? 233 : 28;
    public static final int FCNTL = AARCH64 ? 25 : 72;
    public static final int FSYNC = AARCH64 ? 82 : 74;
    public static final int FDATASYNC = AARCH64 ? 83 : 75;
    public static final int FTRUNCATE = AARCH64 ? 46 : 77;
    public static final int FADVISE64 = AARCH64 ? 223 : 221;
    public static final int OPENAT = AARCH64 ? 56 : 257;
    public static final int FALLOCATE = AARCH64 ? 47 : 285;
    public static final int EVENTFD2 = AARCH64 ? 19 : 290;
    public static final int PREADV = AARCH64 ? 69 : 295;
    public static final int PWRITEV = AARCH64 ? 70 : 296;
    public static final int COPY_FILE_RANGE = AARCH64 ? 285 : 326;
    public static final int STATX = AARCH64 ? 291 : 332;
    public static final int IO_URING_SETUP = 425;
    public static final int IO_URING_ENTER = 426;
    public static final int IO_URING_REGISTER = 427;

    public static final int O_RDONLY = 0;
    public static final int O_WRONLY = 1;
    public static final int O_RDWR = 2;
    public static final int O_CREAT = 0x40;
    public static final int O_EXCL = 0x80;
    public static final int O_TRUNC = 0x200;
    public static final int O_NONBLOCK = 0x800;
    public static final int O_DSYNC = 0x1000;
    public static final int O_DIRECT = AARCH64 ? 0x10000 : 0x4000;
    public static final int O_DIRECTORY = AARCH64 ? 0x4000 : 0x10000;
    public static final int O_NOFOLLOW = AARCH64 ? 0x8000 : 0x20000;
    public static final int O_CLOEXEC = 0x80000;

    private Platform() {}

    /** Whether pages may be larger than 4 KiB, so that their size has to be asked for. */
    public static boolean hasVariablePageSize() {
        return AARCH64;
    }

    private static boolean detectAarch64() {
        String system = System.getProperty("os.name", "");
        String processor = System.getProperty("os.arch", "");
        if (system.equals("Linux")) {
            if (processor.equals("amd64") || processor.equals("x86_64")) {
                return false;
            }
            if (processor.equals("aarch64")) {
                return true;
            }
        }
        throw new UnsupportedOperationException(
                "native I/O needs Linux on x86-64 or aarch64, this is " + system + " on " + processor);
    }
}
