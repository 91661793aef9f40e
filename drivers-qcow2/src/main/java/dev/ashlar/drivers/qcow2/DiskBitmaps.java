package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.bitmap.NodeBitmaps;
import dev.ashlar.core.spi.BitmapStore;
import dev.ashlar.drivers.qcow2.bitmap.StoredBitmaps;

/** The bitmaps that the image keeps, as core sees them. */
final class DiskBitmaps implements BitmapStore {
    private final LiveDisk disk;
    private final StoredBitmaps bitmaps;
    private final boolean canKeep;

    /** @param canKeep the image's version has bitmaps */
    DiskBitmaps(LiveDisk disk, StoredBitmaps bitmaps, boolean canKeep) {
        this.disk = disk;
        this.bitmaps = bitmaps;
        this.canKeep = canKeep;
    }

    @Override
    public void loadBitmaps(NodeBitmaps into) throws BlockException {
        bitmaps.load(into, disk.sizeBytes());
    }

    @Override
    public boolean canKeepBitmaps() {
        return canKeep;
    }

    @Override
    public void requireRoomFor(String name, long granularityBytes) throws BlockException {
        bitmaps.requireRoomFor(name, granularityBytes, disk.sizeBytes());
    }

    @Override
    public void removeStored(String name) throws BlockException {
        disk.requireWritable();
        bitmaps.remove(name);
    }
}
