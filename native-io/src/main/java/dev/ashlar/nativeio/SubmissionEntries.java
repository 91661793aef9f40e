package dev.ashlar.nativeio;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;

/**
 * The entries of a submission queue as the kernel reads them, and the operations they can ask for. An entry is named by its offset in the
 * queue's memory. Used by the thread that owns the ring.
 *
 * <pre>
 * struct io_uring_sqe
 *  0  u8  opcode      1  u8  flags      2  u16 ioprio      4  s32 fd
 *  8  u64 off        16  u64 addr
 * 24  u32 len        28  u32 fsync_flags and others
 * 32  u64 user_data
 * 40  u16 buf_index  42 .. 64 zero here
 * </pre>
 *
 * @see <a href="https://man7.org/linux/man-pages/man2/io_uring_enter.2.html">io_uring_enter(2)</a>
 */
final class SubmissionEntries {
    static final byte NOP = 0;
    static final byte READV = 1;
    static final byte WRITEV = 2;
    static final byte FSYNC = 3;
    static final byte READ_FIXED = 4;
    static final byte WRITE_FIXED = 5;
    static final byte ASYNC_CANCEL = 14;
    static final byte FALLOCATE = 17;
    static final byte READ = 22;
    static final byte WRITE = 23;

    /** All of the above, bit <i>n</i> for operation code <i>n</i>. */
    static final long OPERATIONS = 1L << NOP
            | 1L << READV
            | 1L << WRITEV
            | 1L << FSYNC
            | 1L << READ_FIXED
            | 1L << WRITE_FIXED
            | 1L << ASYNC_CANCEL
            | 1L << FALLOCATE
            | 1L << READ
            | 1L << WRITE;

    /** Flag: the descriptor is the index of a registered file. */
    static final byte FIXED_FILE = 1;

    private static final int FSYNC_DATASYNC = 1;

    private final MemorySegment entries;

    /** @param entries memory shared with the kernel, {@link Ring#ENTRY_BYTES} for each entry */
    SubmissionEntries(MemorySegment entries) {
        this.entries = entries;
    }

    /**
     * Fills in a whole entry.
     *
     * @param descriptor of the file, its index where {@code flags} say so, or -1 for none
     * @param length of the buffer in bytes, or the number of its pieces
     * @param userData comes back with the completion
     */
    void fill(
            long entry,
            byte operation,
            byte flags,
            int descriptor,
            long offset,
            long address,
            int length,
            long userData) {
        entries.set(JAVA_INT, entry, operation | flags << 8);
        entries.set(JAVA_INT, entry + 4, descriptor);
        entries.set(JAVA_LONG, entry + 8, offset);
        entries.set(JAVA_LONG, entry + 16, address);
        entries.set(JAVA_LONG, entry + 24, Integer.toUnsignedLong(length));
        entries.set(JAVA_LONG, entry + 32, userData);
        entries.set(JAVA_LONG, entry + 40, 0);
    }

    /** Names the registered region that the buffer of a {@code *_FIXED} operation lies in, in an entry that is filled in. */
    void setRegion(long entry, int region) {
        entries.set(JAVA_SHORT, entry + 40, (short) region);
    }

    /** Makes an fsync that is filled in an fdatasync. */
    void setDataOnly(long entry) {
        entries.set(JAVA_INT, entry + 28, FSYNC_DATASYNC);
    }
}
