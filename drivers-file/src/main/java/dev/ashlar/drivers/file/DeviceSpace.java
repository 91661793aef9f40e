package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.nativeio.BlockDevice;
import dev.ashlar.nativeio.Errno;
import dev.ashlar.nativeio.ErrnoException;
import dev.ashlar.nativeio.FallocateMode;
import dev.ashlar.nativeio.LinuxFile;

/** Space of a block device: its size is fixed, and its own commands discard and zero whole sectors. */
final class DeviceSpace implements HostSpace {
    private static final int MAX_ALIGNMENT_BYTES = 1 << 30;

    private final LinuxFile buffered;
    private final BlockDevice device;
    private final int sectorBytes;
    private final int discardAlignmentBytes;
    private volatile boolean canDiscard;
    private volatile boolean canPunch = true;
    private volatile boolean canZeroOut = true;

    /** @param buffered the descriptor without direct I/O */
    DeviceSpace(LinuxFile buffered) throws ErrnoException {
        this.buffered = buffered;
        device = BlockDevice.of(buffered);
        sectorBytes = device.logicalSectorBytes();
        long granularity = device.discardGranularityBytes();
        canDiscard = granularity != 0;
        boolean isUsable =
                granularity > sectorBytes && granularity <= MAX_ALIGNMENT_BYTES && Long.bitCount(granularity) == 1;
        discardAlignmentBytes = isUsable ? (int) granularity : sectorBytes;
    }

    @Override
    public int discardAlignmentBytes() {
        return discardAlignmentBytes;
    }

    @Override
    public int writeZeroesAlignmentBytes() {
        return sectorBytes;
    }

    @Override
    public void writeZeroes(long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        requireInside(offset, lengthBytes);
        long mask = -(long) sectorBytes;
        long first = offset + sectorBytes - 1 & mask;
        long end = offset + lengthBytes & mask;
        if (first >= end) {
            ZeroWriter.write(buffered, offset, lengthBytes);
            return;
        }
        ZeroWriter.write(buffered, offset, first - offset);
        if (!(mayUnmap && punch(first, end - first)) && !zeroOut(first, end - first)) {
            ZeroWriter.write(buffered, first, end - first);
        }
        ZeroWriter.write(buffered, end, offset + lengthBytes - end);
    }

    private boolean punch(long offset, long lengthBytes) throws BlockException {
        canPunch =
                canPunch && supported("fallocate", buffered.fallocate(FallocateMode.PUNCH_HOLE, offset, lengthBytes));
        return canPunch;
    }

    private boolean zeroOut(long offset, long lengthBytes) throws BlockException {
        canZeroOut = canZeroOut && supported("BLKZEROOUT", device.zeroOut(offset, lengthBytes));
        return canZeroOut;
    }

    @Override
    public void discard(long offset, long lengthBytes) throws BlockException {
        requireInside(offset, lengthBytes);
        long mask = -(long) sectorBytes;
        long first = offset + sectorBytes - 1 & mask;
        long end = offset + lengthBytes & mask;
        if (first < end) {
            canDiscard = canDiscard && supported("BLKDISCARD", device.discard(first, end - first));
        }
    }

    private boolean supported(String request, int result) throws BlockException {
        if (result == -Errno.EOPNOTSUPP || result == -Errno.ENOTTY || result == -Errno.ENODEV) {
            return false;
        }
        Failures.check(request, result, buffered.path());
        return true;
    }

    private void requireInside(long offset, long lengthBytes) throws BlockException {
        if (offset > length() - lengthBytes) {
            throw new BlockException(Kind.NO_SPACE, "request reaches behind the end of '" + buffered.path() + "'");
        }
    }

    private long length() throws BlockException {
        return Failures.check("lseek", buffered.length(), buffered.path());
    }

    @Override
    public HostExtent extentAt(long offset, long lengthBytes) {
        return new HostExtent(false, lengthBytes);
    }

    @Override
    public void truncate(long lengthBytes, Preallocation preallocation) throws BlockException {
        if (preallocation != Preallocation.OFF) {
            throw new BlockException(
                    Kind.UNSUPPORTED,
                    "Preallocation mode '" + preallocation.name().toLowerCase(java.util.Locale.ROOT)
                            + "' unsupported for this non-regular file");
        }
        if (lengthBytes > length()) {
            throw new BlockException(Kind.INVALID, "Cannot grow device files");
        }
    }
}
