package dev.ashlar.drivers.qcow2.format;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The header extension that says where the bitmap directory is.
 *
 * <pre>
 *   0 number of bitmaps (4)   4 reserved (4)   8 directory size in bytes (8)   16 directory offset (8)
 * </pre>
 *
 * Good only while the autoclear bit {@link Feature#BITMAPS} is set. Source: qcow2 specification, "Bitmaps extension".
 */
public record BitmapExtension(long count, long directoryBytes, long directoryOffset) {
    public static final int DATA_BYTES = 24;
    public static final int MAX_BITMAPS = 65_535;
    /** 1 KiB for each bitmap, just under 64 MiB. */
    public static final long MAX_DIRECTORY_BYTES = 1024L * MAX_BITMAPS;

    /** Room that it takes in the header. */
    public static final int ENCODED_BYTES = 8 + DATA_BYTES;

    /** The extension of a header, unless it is not there or was left behind by a program that does not know it. */
    public static @Nullable BitmapExtension of(Qcow2Header header) {
        return (header.autoclearFeatures() & Feature.BITMAPS) == 0 ? null : find(header);
    }

    /** The extension as it stands, whatever the autoclear bit says. */
    public static @Nullable BitmapExtension find(Qcow2Header header) {
        for (HeaderExtension extension : header.extensions()) {
            if (extension.type() == HeaderExtension.BITMAPS && extension.data().length == DATA_BYTES) {
                MemorySegment data = MemorySegment.ofArray(extension.data());
                return new BitmapExtension(Bits.u32(data, 0), Bits.u64(data, 8), Bits.u64(data, 16));
            }
        }
        return null;
    }

    /** Whether there are bitmaps which a program that knows nothing of them has left behind. */
    public static boolean isOutdated(Qcow2Header header) {
        return (header.autoclearFeatures() & Feature.BITMAPS) == 0 && find(header) != null;
    }

    /** Checks the extension of a header against the format's limits. @throws BlockException CORRUPT, in QEMU's words */
    public static void validate(Qcow2Header header) throws BlockException {
        if ((header.autoclearFeatures() & Feature.BITMAPS) == 0) {
            return;
        }
        for (HeaderExtension extension : header.extensions()) {
            if (extension.type() != HeaderExtension.BITMAPS) {
                continue;
            }
            if (extension.data().length != DATA_BYTES) {
                throw corrupt("bitmaps_ext: Invalid extension length");
            }
            if (Bits.u32(MemorySegment.ofArray(extension.data()), 4) != 0) {
                throw corrupt("bitmaps_ext: Reserved field is not zero");
            }
        }
        BitmapExtension found = find(header);
        if (found == null) {
            return;
        }
        if (found.count > MAX_BITMAPS) {
            throw corrupt("bitmaps_ext: Image has " + found.count + " bitmaps, exceeding the QEMU supported maximum of "
                    + MAX_BITMAPS);
        }
        if (found.count == 0) {
            throw corrupt("found bitmaps extension with zero bitmaps");
        }
        if (found.directoryOffset < 0
                || found.directoryOffset > ClusterGeometry.MAX_HOST_OFFSET
                || !header.geometry().isAligned(found.directoryOffset)) {
            throw corrupt("bitmaps_ext: invalid bitmap directory offset");
        }
        if (Long.compareUnsigned(found.directoryBytes, MAX_DIRECTORY_BYTES) > 0) {
            throw corrupt("bitmaps_ext: bitmap directory size (" + Long.toUnsignedString(found.directoryBytes)
                    + ") exceeds the maximum supported size (" + MAX_DIRECTORY_BYTES + ")");
        }
    }

    /** Payload without the extension's own head. */
    public byte[] encode() {
        byte[] bytes = new byte[DATA_BYTES];
        MemorySegment data = MemorySegment.ofArray(bytes);
        Bits.putU32(data, 0, count);
        Bits.putU64(data, 8, directoryBytes);
        Bits.putU64(data, 16, directoryOffset);
        return bytes;
    }

    private static BlockException corrupt(String message) {
        return new BlockException(Kind.CORRUPT, message);
    }
}
