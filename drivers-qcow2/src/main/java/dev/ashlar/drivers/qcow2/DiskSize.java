package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BackingContent;
import dev.ashlar.core.spi.Emptiable;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.Resizable;
import dev.ashlar.drivers.qcow2.bitmap.StoredBitmaps;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.snapshot.Snapshots;
import org.jspecify.annotations.Nullable;

/** Changes of the disk's size: what is refused, and what an external data file takes part in. */
final class DiskSize implements Resizable, Emptiable {
    private final LiveDisk disk;
    private final MetadataContext context;
    private final @Nullable DataFile dataFile;
    private final Snapshots snapshots;
    private final StoredBitmaps bitmaps;
    private final Resizer resizer;

    /** @param dataFile the file with the guest data, or null where the image itself has it */
    DiskSize(
            LiveDisk disk,
            MetadataContext context,
            @Nullable DataFile dataFile,
            Snapshots snapshots,
            StoredBitmaps bitmaps,
            Resizer resizer) {
        this.disk = disk;
        this.context = context;
        this.dataFile = dataFile;
        this.snapshots = snapshots;
        this.bitmaps = bitmaps;
        this.resizer = resizer;
    }

    @Override
    public void resize(long lengthBytes, Preallocation preallocation, @Nullable BackingContent backing)
            throws BlockException {
        disk.requireWritable();
        if (lengthBytes % 512 != 0) {
            throw new BlockException(Kind.INVALID, "The new size must be a multiple of 512");
        }
        boolean hasSnapshots = !snapshots.entries().isEmpty();
        if (context.header().version() < 3 && hasSnapshots) {
            throw new BlockException(Kind.UNSUPPORTED, "Can't resize a v2 image which has snapshots");
        }
        if (lengthBytes > disk.sizeBytes()) {
            bitmaps.beforeResize(lengthBytes);
            grow(lengthBytes, preallocation, backing);
            disk.setSizeBytes(lengthBytes);
            return;
        }
        if (preallocation != Preallocation.OFF) {
            throw new BlockException(Kind.INVALID, "Preallocation can't be used for shrinking an image");
        }
        if (lengthBytes < disk.sizeBytes()) {
            if (hasSnapshots) {
                throw new BlockException(Kind.UNSUPPORTED, "Can't shrink an image which has snapshots");
            }
            bitmaps.beforeResize(lengthBytes);
            // from the first step on the disk is not longer, whatever becomes of the others
            disk.setSizeBytes(lengthBytes);
            resizer.shrink(lengthBytes, backing);
            if (dataFile != null) {
                dataFile.cut(lengthBytes);
            }
        }
    }

    private void grow(long lengthBytes, Preallocation preallocation, @Nullable BackingContent backing)
            throws BlockException {
        if (dataFile == null) {
            resizer.grow(disk.sizeBytes(), lengthBytes, preallocation, backing);
            return;
        }
        dataFile.grow(disk.sizeBytes(), lengthBytes, isPlain(), preallocation);
        // what a raw data file holds is the disk's by its tables, too
        boolean linked = dataFile.raw() && preallocation == Preallocation.OFF;
        resizer.grow(disk.sizeBytes(), lengthBytes, linked ? Preallocation.METADATA : preallocation, backing);
    }

    @Override
    public void makeEmpty() throws BlockException {
        disk.requireWritable();
        resizer.makeEmpty(disk.sizeBytes());
    }

    /** Zero bytes of the data file are zeros of the disk: it is not encrypted. */
    private boolean isPlain() {
        return context.file().encryption() == null;
    }
}
