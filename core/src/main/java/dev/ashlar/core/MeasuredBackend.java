package dev.ashlar.core;

import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.core.spi.BitmapStore;
import dev.ashlar.core.spi.MeasuredSource;
import java.util.List;
import java.util.Optional;

/**
 * An open image as what is measured.
 *
 * @param content the disk, or a snapshot of it
 * @param image the node whose bitmaps go along
 */
record MeasuredBackend(BlockBackend content, BlockNode image) implements MeasuredSource {
    private static final int SECTOR_BYTES = 512;

    @Override
    public long lengthBytes() throws BlockException {
        return wholeSectors(content.lengthBytes());
    }

    @Override
    public BlockStatus status(long guestOffset) throws BlockException {
        long end = content.lengthBytes();
        BlockStatus status = content.status(guestOffset, end - guestOffset);
        if (guestOffset + status.lengthBytes() < end) {
            return status;
        }
        // A last part of a sector belongs to what is before it.
        return new BlockStatus(
                status.data(),
                status.zero(),
                status.allocated(),
                status.encoded(),
                status.depth(),
                status.hostOffset(),
                status.hostFile(),
                wholeSectors(end) - guestOffset);
    }

    @Override
    public boolean canKeepBitmaps() {
        Optional<BitmapStore> store = image.capability(BitmapStore.class);
        return store.isPresent() && store.get().canKeepBitmaps();
    }

    @Override
    public List<DirtyBitmap> bitmaps() {
        return image.bitmaps().list();
    }

    private static long wholeSectors(long bytes) {
        return (bytes + SECTOR_BYTES - 1) & -SECTOR_BYTES;
    }
}
