package dev.ashlar.drivers.qcow2.bitmap;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.drivers.qcow2.format.BitmapDirectory;
import dev.ashlar.drivers.qcow2.format.BitmapEntry;
import dev.ashlar.drivers.qcow2.format.BitmapExtension;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** What an image can keep of bitmaps: no more than the real program opens again. Source: qcow2 specification, "Bitmaps extension". */
final class BitmapLimits {
    private BitmapLimits() {}

    /** @throws BlockException why a bitmap can't be stored, whatever else there is */
    static void requireStorable(String prefix, String name, long granularityBytes, long diskBytes)
            throws BlockException {
        if (diskBytes == 0) {
            throw new BlockException(Kind.INVALID, prefix + "A disk of 0 bytes has no bitmap to store");
        }
        long bytes = BitmapEntry.bytesFor(diskBytes, Long.numberOfTrailingZeros(granularityBytes));
        if (bytes > BitmapEntry.MAX_BITMAP_BYTES) {
            throw new BlockException(
                    Kind.TOO_LARGE, prefix + "Too much space will be occupied by the bitmap. Use larger granularity");
        }
        if (name.getBytes(StandardCharsets.UTF_8).length > BitmapEntry.MAX_NAME_BYTES) {
            throw new BlockException(
                    Kind.INVALID,
                    prefix + "Name length exceeds maximum (" + BitmapEntry.MAX_NAME_BYTES + " characters)");
        }
    }

    /** @throws BlockException for a directory that has no room for these */
    static void requireRoom(List<BitmapEntry> fresh) throws BlockException {
        if (fresh.size() > BitmapExtension.MAX_BITMAPS) {
            throw new BlockException(Kind.TOO_LARGE, "Too many persistent bitmaps");
        }
        if (BitmapDirectory.encodedBytes(fresh) > BitmapExtension.MAX_DIRECTORY_BYTES) {
            throw new BlockException(Kind.TOO_LARGE, "Bitmap directory is too large");
        }
    }
}
