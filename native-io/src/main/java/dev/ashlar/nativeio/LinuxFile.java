package dev.ashlar.nativeio;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.ashlar.nativeio.syscall.Platform;
import dev.ashlar.nativeio.syscall.SystemCall;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;

/**
 * An open file, block device or directory.
 *
 * <p>Safe for use by many threads at once. Methods that return a number return a negative {@link
 * Errno} when they fail, {@code -EBADF} after {@link #close}; the others throw {@link
 * ErrnoException}. Calls that a signal interrupted are made again. Offsets and lengths are in
 * bytes.
 *
 * <p>The descriptor is given back when the file has been closed <em>and</em> the last call on it
 * and the last operation of an {@link IoEngine} have ended, so no call ever meets a descriptor that
 * already stands for another file.
 */
public final class LinuxFile implements AutoCloseable {
    static final int AT_FDCWD = -100;
    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int AT_STATX_SYNC_AS_STAT = 0;
    private static final int SEEK_END = 2;
    private static final int SEEK_DATA = 3;
    private static final int SEEK_HOLE = 4;
    private static final int DEFAULT_MODE = 0644;

    /** Transfers that end off this boundary on a direct file have reached the end of the file. */
    private static final long SMALLEST_SECTOR_BYTES = 512;

    private final SharedDescriptor descriptor;
    private final String path;
    private final boolean direct;

    private LinuxFile(int descriptor, String path, boolean direct) {
        this.descriptor = new SharedDescriptor(descriptor);
        this.path = path;
        this.direct = direct;
    }

    /**
     * As {@link #open(String, int, OpenFlag...)} with permissions {@code rw-r--r--}, less the
     * process' umask.
     */
    public static LinuxFile open(String path, OpenFlag... flags) throws ErrnoException {
        return open(path, DEFAULT_MODE, flags);
    }

    /**
     * Opens a file, relative to the working directory of the process.
     *
     * @param path the name, passed to the kernel as UTF-8
     * @param mode permissions of a file that this call creates, less the process' umask
     * @param flags one access flag and any others
     * @throws IllegalArgumentException if the path contains a NUL character or the access flag is
     *     missing
     */
    public static LinuxFile open(String path, int mode, OpenFlag... flags) throws ErrnoException {
        int bits = OpenFlag.bitsOf(flags);
        return new LinuxFile(openDescriptor(path, path, bits, mode), path, (bits & Platform.O_DIRECT) != 0);
    }

    /** A file from a descriptor that some other call made; it belongs to the file from now on. */
    static LinuxFile ofDescriptor(int descriptor, String path) {
        return new LinuxFile(descriptor, path, false);
    }

    /**
     * Opens the same file once more with other flags and a file position and locks of its own, even
     * when its name has been given to another file in the meantime. Needs {@code /proc}.
     */
    public LinuxFile reopen(OpenFlag... flags) throws ErrnoException {
        int bits = OpenFlag.bitsOf(flags);
        if (!acquire()) {
            throw new ErrnoException("open", Errno.EBADF, path);
        }
        try {
            int copy = openDescriptor("/proc/self/fd/" + descriptor.number(), path, bits, 0);
            return new LinuxFile(copy, path, (bits & Platform.O_DIRECT) != 0);
        } finally {
            release();
        }
    }

    private static int openDescriptor(String name, String shownPath, int bits, int mode) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = pathText(arena, name);
            long result = SystemCall.restarting(Platform.OPENAT, AT_FDCWD, text, bits, mode, 0);
            if (result < 0) {
                throw new ErrnoException("open", (int) -result, shownPath);
            }
            return (int) result;
        }
    }

    /** A path as the kernel takes it: UTF-8, ended by a NUL. */
    static MemorySegment pathText(Arena arena, String path) {
        if (path.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("path contains a NUL character");
        }
        byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
        MemorySegment text = arena.allocate(bytes.length + 1L);
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, text, 0, bytes.length);
        return text;
    }

    /** The name the file was opened by, for messages. */
    public String path() {
        return path;
    }

    /** Whether the file was opened with {@link OpenFlag#DIRECT}. */
    public boolean isDirect() {
        return direct;
    }

    /** Whether {@link #close} has been called. */
    public boolean isClosed() {
        return descriptor.isClosed();
    }

    /**
     * Reads at most {@code buffer.byteSize()} bytes at {@code offset}.
     *
     * @param buffer native, writable memory
     * @return bytes read, 0 at the end of the file, or a negative errno
     * @see <a href="https://man7.org/linux/man-pages/man2/pread.2.html">pread(2)</a>
     */
    public long pread(MemorySegment buffer, long offset) {
        Buffers.requireReadTarget(buffer);
        return transfer(Platform.PREAD64, buffer, offset);
    }

    /**
     * Writes at most {@code buffer.byteSize()} bytes at {@code offset}.
     *
     * @param buffer native memory
     * @return bytes written or a negative errno
     * @see <a href="https://man7.org/linux/man-pages/man2/pwrite.2.html">pwrite(2)</a>
     */
    public long pwrite(MemorySegment buffer, long offset) {
        Buffers.requireNative(buffer);
        return transfer(Platform.PWRITE64, buffer, offset);
    }

    private long transfer(int call, MemorySegment buffer, long offset) {
        if (!acquire()) {
            return -Errno.EBADF;
        }
        try {
            return SystemCall.restarting(call, descriptor.number(), buffer, buffer.byteSize(), offset, 0);
        } finally {
            release();
        }
    }

    /**
     * Reads until the buffer is full or the file ends.
     *
     * @return bytes read, less than {@code buffer.byteSize()} only at the end of the file, or a
     *     negative errno
     */
    public long preadFully(MemorySegment buffer, long offset) {
        long done = pread(buffer, offset);
        while (done > 0 && done < buffer.byteSize()) {
            if (direct && done % SMALLEST_SECTOR_BYTES != 0) {
                return done;
            }
            long result = pread(buffer.asSlice(done), offset + done);
            if (result == 0 || result == -Errno.EINVAL && direct && offset + done >= length()) {
                // Behind an end that is not aligned the next direct read may not be either.
                return done;
            }
            if (result < 0) {
                return result;
            }
            done += result;
        }
        return done;
    }

    /**
     * Writes the whole buffer.
     *
     * @return {@code buffer.byteSize()} or a negative errno; after an error any part may have been
     *     written
     */
    public long pwriteFully(MemorySegment buffer, long offset) {
        long done = 0;
        while (done < buffer.byteSize()) {
            long result = pwrite(done == 0 ? buffer : buffer.asSlice(done), offset + done);
            if (result <= 0) {
                return result == 0 ? -Errno.EIO : result;
            }
            done += result;
        }
        return done;
    }

    /** As {@link #pread} into several pieces of memory in turn. */
    public long preadv(IoVector vector, long offset) {
        vector.requireWritable();
        return transferVector(Platform.PREADV, vector, offset);
    }

    /** As {@link #pwrite} from several pieces of memory in turn. */
    public long pwritev(IoVector vector, long offset) {
        return transferVector(Platform.PWRITEV, vector, offset);
    }

    private long transferVector(int call, IoVector vector, long offset) {
        if (!acquire()) {
            return -Errno.EBADF;
        }
        try {
            return SystemCall.restarting(call, descriptor.number(), vector.entries(), vector.count(), offset, 0);
        } finally {
            release();
            Reference.reachabilityFence(vector);
        }
    }

    /**
     * Makes the content, and the metadata needed to read it back, durable.
     *
     * @return 0 or a negative errno; after an error it is unknown what is on disk, and a later
     *     success says nothing about it
     */
    public int fdatasync() {
        return simple(Platform.FDATASYNC, 0, 0, 0);
    }

    /**
     * Makes the content and all metadata durable; of a directory, the names in it. Errors as {@link
     * #fdatasync}.
     */
    public int fsync() {
        return simple(Platform.FSYNC, 0, 0, 0);
    }

    /**
     * Sets the length; a longer file reads as zeros behind the old end. Returns 0 or a negative
     * errno.
     */
    public int ftruncate(long lengthBytes) {
        return simple(Platform.FTRUNCATE, lengthBytes, 0, 0);
    }

    /**
     * Allocates, frees or zeros a range.
     *
     * @return 0 or a negative errno; {@code -EOPNOTSUPP} where the file system cannot do it
     */
    public int fallocate(FallocateMode mode, long offset, long lengthBytes) {
        return simple(Platform.FALLOCATE, mode.bits(), offset, lengthBytes);
    }

    /** Length of a regular file or capacity of a block device, or a negative errno. */
    public long length() {
        return call(Platform.LSEEK, 0, SEEK_END, 0, 0);
    }

    /**
     * First offset at or behind {@code offset} that holds data; {@code -ENXIO} when only a hole
     * follows.
     */
    public long seekData(long offset) {
        return call(Platform.LSEEK, offset, SEEK_DATA, 0, 0);
    }

    /** First offset at or behind {@code offset} in a hole; the end of the file counts as one. */
    public long seekHole(long offset) {
        return call(Platform.LSEEK, offset, SEEK_HOLE, 0, 0);
    }

    /**
     * Tells the page cache how a range will be used (length 0: to the end). Returns 0 or a negative
     * errno.
     */
    public int advise(AccessAdvice advice, long offset, long lengthBytes) {
        return simple(Platform.FADVISE64, offset, lengthBytes, advice.number());
    }

    /**
     * Copies inside the kernel, sharing blocks where the file system can.
     *
     * @return bytes copied, possibly fewer than asked, 0 at the end of this file, or a negative errno
     *     ({@code -EXDEV}, {@code -EINVAL}, {@code -EOPNOTSUPP}: copy by reading and writing)
     * @see <a
     *     href="https://man7.org/linux/man-pages/man2/copy_file_range.2.html">copy_file_range(2)</a>
     */
    public long copyRange(long offset, LinuxFile target, long targetOffset, long lengthBytes) {
        if (!target.acquire()) {
            return -Errno.EBADF;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment offsets = arena.allocate(2 * JAVA_LONG.byteSize(), JAVA_LONG.byteAlignment());
            offsets.setAtIndex(JAVA_LONG, 0, offset);
            offsets.setAtIndex(JAVA_LONG, 1, targetOffset);
            return call(
                    Platform.COPY_FILE_RANGE,
                    offsets.address(),
                    target.descriptor(),
                    offsets.address() + JAVA_LONG.byteSize(),
                    lengthBytes);
        } finally {
            target.release();
        }
    }

    /** Asks the kernel about the file. */
    public FileStatus status() throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment statx = arena.allocate(FileStatus.STRUCT_BYTES + Long.BYTES, Long.BYTES);
            // The last, zeroed word serves as the empty path.
            MemorySegment emptyPath = statx.asSlice(FileStatus.STRUCT_BYTES);
            check(
                    "statx",
                    call(
                            Platform.STATX,
                            emptyPath.address(),
                            AT_EMPTY_PATH | AT_STATX_SYNC_AS_STAT,
                            FileStatus.MASK,
                            statx.address()));
            return FileStatus.decode(statx);
        }
    }

    /**
     * Passes a result through, or throws what a negative one stands for.
     *
     * @param syscall name of the call for the message
     * @param result what a call on this file returned
     */
    public long check(String syscall, long result) throws ErrnoException {
        if (result < 0) {
            throw new ErrnoException(syscall, (int) -result, path);
        }
        return result;
    }

    /**
     * Closes the file; later calls on it fail with {@code EBADF}. Closing again does nothing. Locks
     * held through it end when the descriptor is given back. Says nothing about durability.
     */
    @Override
    public void close() {
        descriptor.close();
    }

    @Override
    public String toString() {
        return path;
    }

    /** The descriptor; to be used only between {@link #acquire} and {@link #release}. */
    int descriptor() {
        return descriptor.number();
    }

    /** Keeps the descriptor open until {@link #release}; false if the file has been closed. */
    boolean acquire() {
        return descriptor.acquire();
    }

    /** Ends one {@link #acquire}. */
    void release() {
        descriptor.release();
    }

    /** A call of which the descriptor is the first argument. */
    long call(int number, long second, long third, long fourth, long fifth) {
        if (!acquire()) {
            return -Errno.EBADF;
        }
        try {
            return SystemCall.restarting(number, descriptor.number(), second, third, fourth, fifth);
        } finally {
            release();
        }
    }

    private int simple(int number, long second, long third, long fourth) {
        return (int) call(number, second, third, fourth, 0);
    }
}
