package dev.ashlar.drivers.raw;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.spi.BackingContent;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.FormatInfo;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.Resizable;
import dev.ashlar.core.spi.WritePlan;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * An open raw image: guest offset <i>n</i> is byte <i>offset + n</i> of the child. Without a size option it ends where the
 * child ends, rounded up to a sector as QEMU shows it.
 */
final class RawImage implements FormatInstance, Resizable {
    static final long SECTOR_BYTES = 512;

    /** Stands for a size option that is not given. */
    static final long TO_THE_END = -1;

    private final ChildAccess file;
    private final long offset;
    private final boolean hasFixedSize;
    private final boolean isWritable;

    /** Changes in a drained section only, by {@link #resize}. */
    private volatile long lengthBytes;

    private RawImage(ChildAccess file, long offset, boolean hasFixedSize, boolean isWritable, long lengthBytes) {
        this.file = file;
        this.offset = offset;
        this.hasFixedSize = hasFixedSize;
        this.isWritable = isWritable;
        this.lengthBytes = lengthBytes;
    }

    /**
     * Opens the part of a child.
     *
     * @param offset first byte of the image, at least 0
     * @param sizeBytes length of the image, or {@link #TO_THE_END}
     */
    static RawImage open(ChildAccess file, long offset, long sizeBytes, boolean isWritable) throws BlockException {
        long real = wholeSectors(file.lengthBytes());
        if (offset > real) {
            throw new BlockException(
                    Kind.INVALID,
                    "Offset (" + offset + ") cannot be greater than size of the containing file (" + real + ")");
        }
        if (sizeBytes == TO_THE_END) {
            return new RawImage(file, offset, false, isWritable, real - offset);
        }
        if (real - offset < sizeBytes) {
            throw new BlockException(
                    Kind.INVALID,
                    "The sum of offset (" + offset + ") and size (" + sizeBytes
                            + ") has to be smaller or equal to the  actual size of the containing file (" + real
                            + ")");
        }
        if (sizeBytes % SECTOR_BYTES != 0) {
            throw new BlockException(Kind.INVALID, "Specified size is not multiple of " + SECTOR_BYTES);
        }
        return new RawImage(file, offset, true, isWritable, sizeBytes);
    }

    static long wholeSectors(long lengthBytes) {
        return Math.addExact(lengthBytes, SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES;
    }

    @Override
    public ChildAccess dataChild() {
        return file;
    }

    @Override
    public BlockLimits limits() {
        return file.limits();
    }

    @Override
    public long lengthBytes() {
        return lengthBytes;
    }

    @Override
    public Mapping map(long guestOffset, long wantedBytes) {
        long available = lengthBytes - guestOffset;
        return available <= 0
                ? new Mapping.EndOfImage()
                : new Mapping.Data(file, offset + guestOffset, Math.min(wantedBytes, available));
    }

    @Override
    public long mapDirect(long guestOffset, long wantedBytes) {
        return wantedBytes <= lengthBytes - guestOffset ? offset + guestOffset : -1;
    }

    @Override
    public long planInPlace(long guestOffset, long wantedBytes) {
        return mapDirect(guestOffset, wantedBytes);
    }

    @Override
    public WritePlan planWrite(long guestOffset, long wantedBytes) {
        return new InPlace(file, offset + guestOffset, wantedBytes);
    }

    /** Writes never allocate anything of this format's own. */
    @Override
    public long allocationUnitBytes() {
        return 1;
    }

    @Override
    public long writeZeroes(long guestOffset, long wantedBytes, boolean mayUnmap) throws BlockException {
        file.writeZeroes(offset + guestOffset, wantedBytes, mayUnmap);
        return wantedBytes;
    }

    @Override
    public void discard(long guestOffset, long wantedBytes) throws BlockException {
        file.discard(offset + guestOffset, wantedBytes);
    }

    @Override
    public void flush() throws BlockException {
        file.flush();
    }

    @Override
    public void resize(long newLengthBytes, Preallocation preallocation, @Nullable BackingContent backing)
            throws BlockException {
        if (hasFixedSize) {
            throw new BlockException(Kind.UNSUPPORTED, "Cannot resize fixed-size raw disks");
        }
        if (newLengthBytes > Long.MAX_VALUE - offset - SECTOR_BYTES) {
            throw new BlockException(Kind.INVALID, "Disk size too large for the chosen offset");
        }
        file.truncate(offset + newLengthBytes, preallocation);
        lengthBytes = wholeSectors(offset + newLengthBytes) - offset;
    }

    @Override
    public FormatInfo info() {
        return new FormatInfo(0, false, false, false, Map.of());
    }

    @Override
    public void close() throws BlockException {
        if (isWritable) {
            file.flush();
        }
    }

    /** A write that changes no tables: there are none. */
    private record InPlace(ChildAccess child, long hostOffset, long lengthBytes) implements WritePlan {
        @Override
        public long copyBeforeBytes() {
            return 0;
        }

        @Override
        public long copyAfterBytes() {
            return 0;
        }

        @Override
        public void commit() {}

        @Override
        public void abort() {}
    }
}
