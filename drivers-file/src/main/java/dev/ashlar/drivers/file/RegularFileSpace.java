package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.nativeio.Errno;
import dev.ashlar.nativeio.ErrnoException;
import dev.ashlar.nativeio.FallocateMode;
import dev.ashlar.nativeio.LinuxFile;
import java.util.Locale;

/**
 * Space of a regular file, through {@code fallocate}. What a file system refused once as unsupported is not asked of it
 * again.
 *
 * <p>The file is only ever lengthened by calls that cannot shorten it, since another write may lengthen it at the same time;
 * only {@link #truncate} sets a length.
 */
final class RegularFileSpace implements HostSpace {
    private final LinuxFile buffered;
    private volatile boolean canPunch = true;
    private volatile boolean canZeroRange = true;
    private volatile boolean canAllocate = true;
    private volatile boolean canSeekData = true;

    /** @param buffered the descriptor without direct I/O, for which nothing has to be aligned */
    RegularFileSpace(LinuxFile buffered) {
        this.buffered = buffered;
    }

    @Override
    public int discardAlignmentBytes() {
        return 1;
    }

    @Override
    public int writeZeroesAlignmentBytes() {
        return 1;
    }

    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        if (mayUnmap && punch(offset, lengthBytes)) {
            growTo(offset + lengthBytes);
        } else if (!zeroRange(offset, lengthBytes) && !punchAndAllocate(offset, lengthBytes)) {
            ZeroWriter.write(buffered, offset, lengthBytes);
        }
    }

    @Override
    public void discard(long offset, long lengthBytes) throws BlockException {
        punch(offset, lengthBytes);
    }

    private boolean punch(long offset, long lengthBytes) throws BlockException {
        canPunch = canPunch && supported(FallocateMode.PUNCH_HOLE, offset, lengthBytes);
        return canPunch;
    }

    private boolean zeroRange(long offset, long lengthBytes) throws BlockException {
        canZeroRange = canZeroRange && supported(FallocateMode.ZERO_RANGE, offset, lengthBytes);
        return canZeroRange;
    }

    private boolean punchAndAllocate(long offset, long lengthBytes) throws BlockException {
        return canAllocate && punch(offset, lengthBytes) && allocate(offset, lengthBytes);
    }

    private boolean allocate(long offset, long lengthBytes) throws BlockException {
        canAllocate = canAllocate && supported(FallocateMode.ALLOCATE, offset, lengthBytes);
        return canAllocate;
    }

    private boolean supported(FallocateMode mode, long offset, long lengthBytes) throws BlockException {
        int result = buffered.fallocate(mode, offset, lengthBytes);
        if (result == -Errno.EOPNOTSUPP || result == -Errno.ENOSYS || result == -Errno.ENODEV) {
            return false;
        }
        Failures.check("fallocate", result, buffered.path());
        return true;
    }

    /** Makes the file at least this long by touching its last byte, which lies in a range that is all zeros. */
    private void growTo(long endOffset) throws BlockException {
        if (length() < endOffset && !allocate(endOffset - 1, 1)) {
            ZeroWriter.write(buffered, endOffset - 1, 1);
        }
    }

    private long length() throws BlockException {
        return Failures.check("lseek", buffered.length(), buffered.path());
    }

    @Override
    public HostExtent extentAt(long offset, long lengthBytes) {
        if (canSeekData) {
            long data = buffered.seekData(offset);
            if (data == -Errno.ENXIO) {
                return new HostExtent(true, lengthBytes);
            }
            if (data > offset) {
                return new HostExtent(true, Math.min(lengthBytes, data - offset));
            }
            long hole = data < 0 ? data : buffered.seekHole(offset);
            if (hole > offset) {
                return new HostExtent(false, Math.min(lengthBytes, hole - offset));
            }
            // An error; or the file was cut or punched between the two questions, and then the next call sees it.
            canSeekData = hole >= 0 || hole == -Errno.ENXIO;
        }
        return new HostExtent(false, lengthBytes);
    }

    @Override
    public void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        long oldLength = length();
        if (preallocation == Preallocation.METADATA) {
            throw new BlockException(
                    Kind.UNSUPPORTED,
                    "Unsupported preallocation mode: " + preallocation.name().toLowerCase(Locale.ROOT));
        }
        if (preallocation != Preallocation.OFF && lengthBytes < oldLength) {
            throw new BlockException(Kind.UNSUPPORTED, "Preallocation can't be used for shrinking files");
        }
        if (lengthBytes == oldLength) {
            return;
        }
        try {
            switch (preallocation) {
                case FALLOC -> preallocate(oldLength, lengthBytes - oldLength);
                case FULL -> {
                    setLength(lengthBytes, "Could not resize file");
                    writeZeros(oldLength, lengthBytes - oldLength);
                    Failures.check("fsync", buffered.fsync(), buffered.path());
                }
                default -> setLength(lengthBytes, "Failed to resize file");
            }
        } catch (BlockException e) {
            if (lengthBytes > oldLength) {
                // The first error is the one to tell; what was claimed on the way goes back.
                buffered.ftruncate(oldLength);
            }
            throw e;
        }
    }

    private void preallocate(long offset, long lengthBytes) throws BlockException {
        int result = buffered.fallocate(FallocateMode.ALLOCATE, offset, lengthBytes);
        if (result == -Errno.EOPNOTSUPP) {
            writeZeros(offset, lengthBytes);
        } else if (result < 0) {
            throw Failures.of(
                    "Could not preallocate new data", new ErrnoException("fallocate", -result, buffered.path()));
        }
    }

    private void writeZeros(long offset, long lengthBytes) throws BlockException {
        try {
            ZeroWriter.write(buffered, offset, lengthBytes);
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "Could not write zeros for preallocation: " + e.reason(), e.reason(), e);
        }
    }

    private void setLength(long lengthBytes, String message) throws BlockException {
        int result = buffered.ftruncate(lengthBytes);
        if (result < 0) {
            throw Failures.of(message, new ErrnoException("ftruncate", -result, buffered.path()));
        }
    }
}
