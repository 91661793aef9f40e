package dev.ashlar.nativeio;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.ashlar.nativeio.syscall.Platform;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The requests that only block devices answer, on an open one.
 *
 * <p>Threads and errors as with {@link LinuxFile}: questions throw, changes return 0 or a negative
 * errno.
 *
 * @see <a href="https://docs.kernel.org/admin-guide/ioctl/ioctl-number.html">linux/fs.h, type
 *     0x12</a>
 */
public final class BlockDevice {
    private static final int BLKROGET = 0x125e;
    private static final int BLKFLSBUF = 0x1261;
    private static final int BLKSSZGET = 0x1268;
    private static final int BLKDISCARD = 0x1277;
    private static final int BLKPBSZGET = 0x127b;
    private static final int BLKZEROOUT = 0x127f;
    private static final int BLKGETSIZE64 = 0x80081272;

    private final LinuxFile file;
    private final long deviceNumber;

    private BlockDevice(LinuxFile file, long deviceNumber) {
        this.file = file;
        this.deviceNumber = deviceNumber;
    }

    /**
     * The block device behind an open file.
     *
     * @throws ErrnoException with {@code ENOTTY} if the file is no block device
     */
    public static BlockDevice of(LinuxFile file) throws ErrnoException {
        FileStatus status = file.status();
        if (!status.isBlockDevice()) {
            throw new ErrnoException("ioctl", Errno.ENOTTY, file.path());
        }
        return new BlockDevice(file, status.representedDevice());
    }

    /** Capacity. */
    public long sizeBytes() throws ErrnoException {
        return question("BLKGETSIZE64", BLKGETSIZE64);
    }

    /** Smallest unit the device can address; direct I/O must be aligned to it. */
    public int logicalSectorBytes() throws ErrnoException {
        return (int) question("BLKSSZGET", BLKSSZGET);
    }

    /** Smallest unit the device writes without reading first. */
    public int physicalSectorBytes() throws ErrnoException {
        return (int) question("BLKPBSZGET", BLKPBSZGET);
    }

    /** Whether the device refuses writes. */
    public boolean isReadOnly() throws ErrnoException {
        return question("BLKROGET", BLKROGET) != 0;
    }

    /**
     * Tells the device that a range is not needed any more. What it reads as afterwards is up to the
     * device.
     *
     * @param offset multiple of the logical sector
     * @param lengthBytes multiple of the logical sector
     * @return 0 or a negative errno; {@code -EOPNOTSUPP} where the device cannot discard
     */
    public int discard(long offset, long lengthBytes) {
        return range(BLKDISCARD, offset, lengthBytes);
    }

    /**
     * Makes a range read as zeros, by a command of the device or by writing; arguments as {@link
     * #discard}.
     */
    public int zeroOut(long offset, long lengthBytes) {
        return range(BLKZEROOUT, offset, lengthBytes);
    }

    /** Writes back and drops the page cache of the device. Needs CAP_SYS_ADMIN. */
    public int flushBuffers() {
        return (int) file.call(Platform.IOCTL, BLKFLSBUF, 0, 0, 0);
    }

    /**
     * Largest discard the device takes in one piece, 0 if it takes none, -1 if sysfs does not tell.
     */
    public long discardMaxBytes() {
        return queueLimit(deviceNumber, "discard_max_bytes");
    }

    /** Unit in which the device frees space, 0 if none, -1 if sysfs does not tell. */
    public long discardGranularityBytes() {
        return queueLimit(deviceNumber, "discard_granularity");
    }

    /** Largest range the device zeroes by one command, 0 if it cannot, -1 if sysfs does not tell. */
    public long writeZeroesMaxBytes() {
        return queueLimit(deviceNumber, "write_zeroes_max_bytes");
    }

    /**
     * Logical sector of the block device on which a file lies, or -1 where there is none or sysfs does not tell.
     *
     * @param deviceNumber as {@link FileStatus#device}
     */
    public static int logicalSectorBytesOf(long deviceNumber) {
        return (int) queueLimit(deviceNumber, "logical_block_size");
    }

    /** A numeric attribute of the request queue; a partition has it at its whole disk. */
    private static long queueLimit(long deviceNumber, String name) {
        Path device = Path.of("/sys/dev/block", (deviceNumber >>> 32) + ":" + (int) deviceNumber);
        try {
            Path attribute = device.resolve("queue").resolve(name);
            if (!Files.exists(attribute)) {
                attribute = device.toRealPath().resolveSibling("queue").resolve(name);
            }
            return Long.parseLong(Files.readString(attribute).strip());
        } catch (IOException | NumberFormatException e) {
            return -1;
        }
    }

    private long question(String name, int request) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment answer = arena.allocate(JAVA_LONG);
            // As unsigned: the request word is 32 bits wide, and the kernel ignores what is above.
            long word = Integer.toUnsignedLong(request);
            file.check(name, file.call(Platform.IOCTL, word, answer.address(), 0, 0));
            return request == BLKGETSIZE64 ? answer.get(JAVA_LONG, 0) : answer.get(JAVA_INT, 0);
        }
    }

    private int range(int request, long offset, long lengthBytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment range = arena.allocate(2 * JAVA_LONG.byteSize(), JAVA_LONG.byteAlignment());
            range.setAtIndex(JAVA_LONG, 0, offset);
            range.setAtIndex(JAVA_LONG, 1, lengthBytes);
            return (int) file.call(Platform.IOCTL, request, range.address(), 0, 0);
        }
    }
}
