package dev.ashlar.nativeio;

import dev.ashlar.nativeio.syscall.Platform;
import dev.ashlar.nativeio.syscall.SystemCall;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * What {@code statx(2)} says about a file.
 *
 * @param type kind of file
 * @param permissions the twelve permission bits of the mode
 * @param sizeBytes length of a regular file; 0 for a block device
 * @param allocatedBytes bytes allocated on disk
 * @param preferredIoBytes preferred transfer size
 * @param device number of the device that holds the file, major in the upper and minor in the lower
 *     32 bits
 * @param inode inode number, unique on {@code device}
 * @param representedDevice for a device file, the device it stands for, in the form of {@code
 *     device}; otherwise 0
 * @param linkCount number of names
 * @param ownerId numeric user
 * @param modifiedSeconds time of the last change of content, seconds since 1970
 * @param modifiedNanos nanoseconds within that second
 * @param mountId mount the file was reached through, or -1 where the kernel does not tell
 * @param directMemoryAlignmentBytes alignment that direct I/O needs of a buffer's address; 0:
 *     direct I/O is not supported on this file; -1: the kernel does not tell
 * @param directOffsetAlignmentBytes alignment that direct I/O needs of offset and length; 0 and -1
 *     as above
 */
public record FileStatus(
        FileType type,
        int permissions,
        long sizeBytes,
        long allocatedBytes,
        int preferredIoBytes,
        long device,
        long inode,
        long representedDevice,
        int linkCount,
        int ownerId,
        long modifiedSeconds,
        int modifiedNanos,
        long mountId,
        int directMemoryAlignmentBytes,
        int directOffsetAlignmentBytes) {

    /*
     * struct statx, equal on all processors:
     *
     *    0 u32 mask        4 u32 blksize    8 u64 attributes   16 u32 nlink
     *   20 u32 uid        24 u32 gid       28 u16 mode         32 u64 ino
     *   40 u64 size       48 u64 blocks    56 u64 attributes_mask
     *   64 access time    80 birth time    96 change time     112 modification time (s64 s, u32 ns)
     *  128 u32 rdev major, 132 minor      136 u32 dev major, 140 minor
     *  144 u64 mnt_id    152 u32 dio_mem_align  156 u32 dio_offset_align  ... 256
     */
    static final int STRUCT_BYTES = 256;

    private static final int STATX_BASIC_STATS = 0x7ff;
    private static final int STATX_MNT_ID = 0x1000;
    private static final int STATX_DIOALIGN = 0x2000;

    /**
     * What is asked for. The kernel ignores bits it does not know and reports in the mask what it
     * filled in.
     */
    static final int MASK = STATX_BASIC_STATS | STATX_MNT_ID | STATX_DIOALIGN;

    private static final long STAT_BLOCK_BYTES = 512;

    /**
     * Asks the kernel about the file of this name, following symbolic links, without opening it.
     *
     * @throws IllegalArgumentException if the path contains a NUL character
     */
    public static FileStatus of(String path) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment statx = arena.allocate(STRUCT_BYTES, Long.BYTES);
            MemorySegment name = LinuxFile.pathText(arena, path);
            long result = SystemCall.restarting(Platform.STATX, LinuxFile.AT_FDCWD, name, 0, MASK, statx.address());
            if (result < 0) {
                throw new ErrnoException("statx", (int) -result, path);
            }
            return decode(statx);
        }
    }

    /** Goes through a buffer, since the first access through each kind of layout costs milliseconds of start time. */
    static FileStatus decode(MemorySegment segment) {
        ByteBuffer statx = segment.asByteBuffer().order(ByteOrder.nativeOrder());
        int filled = statx.getInt(0);
        int mode = Short.toUnsignedInt(statx.getShort(28));
        boolean hasAlignment = (filled & STATX_DIOALIGN) != 0;
        return new FileStatus(
                FileType.ofMode(mode),
                mode & 07777,
                statx.getLong(40),
                statx.getLong(48) * STAT_BLOCK_BYTES,
                statx.getInt(4),
                deviceNumber(statx, 136),
                statx.getLong(32),
                deviceNumber(statx, 128),
                statx.getInt(16),
                statx.getInt(20),
                statx.getLong(112),
                statx.getInt(120),
                (filled & STATX_MNT_ID) != 0 ? statx.getLong(144) : -1,
                hasAlignment ? statx.getInt(152) : -1,
                hasAlignment ? statx.getInt(156) : -1);
    }

    /** Whether this is a regular file. */
    public boolean isRegularFile() {
        return type == FileType.REGULAR;
    }

    /** Whether this is a block device. */
    public boolean isBlockDevice() {
        return type == FileType.BLOCK_DEVICE;
    }

    /** Whether both describe the same inode of the same device. */
    public boolean isSameFile(FileStatus other) {
        return device == other.device && inode == other.inode;
    }

    private static long deviceNumber(ByteBuffer statx, int offset) {
        return (long) statx.getInt(offset) << 32 | Integer.toUnsignedLong(statx.getInt(offset + 4));
    }
}
