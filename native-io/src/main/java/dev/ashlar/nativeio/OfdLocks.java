package dev.ashlar.nativeio;

import dev.ashlar.nativeio.syscall.Platform;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Byte-range locks that belong to the open file rather than to the process: two {@link LinuxFile}s
 * of one process exclude each other as two processes do, and closing another descriptor of the same
 * file does not drop them.
 *
 * <p>Nothing here waits. Ranges may lie behind the end of the file. Results are 0 or a negative
 * errno.
 *
 * @see <a
 *     href="https://man7.org/linux/man-pages/man2/F_OFD_SETLK.2const.html">F_OFD_SETLK(2const)</a>
 */
public final class OfdLocks {
    private static final int F_OFD_GETLK = 36;
    private static final int F_OFD_SETLK = 37;
    private static final short F_UNLCK = 2;
    private static final short SEEK_SET = 0;

    /*
     * struct flock: 0 s16 l_type, 2 s16 l_whence, 8 s64 l_start, 16 s64 l_len, 24 s32 l_pid
     */
    private static final long STRUCT_BYTES = 32;

    private final LinuxFile file;

    private OfdLocks(LinuxFile file) {
        this.file = file;
    }

    /** The locks of an open file. */
    public static OfdLocks of(LinuxFile file) {
        return new OfdLocks(file);
    }

    /**
     * Locks a range, or changes the type of what this file already holds there.
     *
     * @param lengthBytes length of the range; 0 means to the end of all offsets
     * @return 0; {@code -EAGAIN} or {@code -EACCES} when another open file is in the way; or another
     *     negative errno
     */
    public int tryLock(LockType type, long offset, long lengthBytes) {
        return request(F_OFD_SETLK, type.number(), offset, lengthBytes);
    }

    /** Gives up whatever this file holds in a range; it need not hold anything. */
    public int unlock(long offset, long lengthBytes) {
        return request(F_OFD_SETLK, F_UNLCK, offset, lengthBytes);
    }

    /**
     * Tells whether {@link #tryLock} would succeed now, without locking.
     *
     * @return 0 if it would, {@code -EAGAIN} when another open file is in the way, or another
     *     negative errno
     */
    public int probe(LockType type, long offset, long lengthBytes) {
        return request(F_OFD_GETLK, type.number(), offset, lengthBytes);
    }

    private int request(int command, short type, long offset, long lengthBytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment flock = arena.allocate(STRUCT_BYTES, Long.BYTES);
            // Through a buffer, since the first access through each kind of layout costs start time.
            ByteBuffer fields = flock.asByteBuffer().order(ByteOrder.nativeOrder());
            fields.putShort(0, type).putShort(2, SEEK_SET).putLong(8, offset).putLong(16, lengthBytes);
            int result = (int) file.call(Platform.FCNTL, command, flock.address(), 0, 0);
            if (result == 0 && command == F_OFD_GETLK && fields.getShort(0) != F_UNLCK) {
                return -Errno.EAGAIN;
            }
            return result;
        }
    }
}
