package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.Emptiable;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.Resizable;
import dev.ashlar.drivers.qcow2.alloc.IdentityTables;
import dev.ashlar.drivers.qcow2.alloc.OwnedTables;
import dev.ashlar.drivers.qcow2.bitmap.StoredBitmaps;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.metadata.WriteBack;
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
    private final OwnedTables tables;
    private final WriteBack writeBack;
    private final int version;

    /**
     * @param dataFile the file with the guest data, or null where the image itself has it
     * @param version of the image's header
     */
    DiskSize(
            LiveDisk disk,
            MetadataContext context,
            @Nullable DataFile dataFile,
            Snapshots snapshots,
            StoredBitmaps bitmaps,
            Resizer resizer,
            OwnedTables tables,
            WriteBack writeBack,
            int version) {
        this.disk = disk;
        this.context = context;
        this.dataFile = dataFile;
        this.snapshots = snapshots;
        this.bitmaps = bitmaps;
        this.resizer = resizer;
        this.tables = tables;
        this.writeBack = writeBack;
        this.version = version;
    }

    @Override
    public void resize(long lengthBytes, Preallocation preallocation) throws BlockException {
        disk.requireWritable();
        if (lengthBytes % 512 != 0) {
            throw new BlockException(Kind.INVALID, "The new size must be a multiple of 512");
        }
        boolean hasSnapshots = !snapshots.entries().isEmpty();
        if (version < 3 && hasSnapshots) {
            throw new BlockException(Kind.UNSUPPORTED, "Can't resize a v2 image which has snapshots");
        }
        if (lengthBytes > disk.sizeBytes()) {
            bitmaps.beforeResize();
            grow(lengthBytes, preallocation);
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
            if (dataFile != null) {
                throw new BlockException(
                        Kind.UNSUPPORTED, "Shrinking images with an external data file is not supported");
            }
            bitmaps.beforeResize();
            // from the first step on the disk is not longer, whatever becomes of the others
            disk.setSizeBytes(lengthBytes);
            resizer.shrink(lengthBytes);
        }
    }

    private void grow(long lengthBytes, Preallocation preallocation) throws BlockException {
        if (preallocation != Preallocation.OFF && context.file().encryption() != null) {
            // the zeros of fresh host space would come out of decryption as noise
            throw new BlockException(Kind.UNSUPPORTED, "Preallocation is not supported when resizing encrypted images");
        }
        if (dataFile == null) {
            resizer.grow(disk.sizeBytes(), lengthBytes, preallocation);
            return;
        }
        if (preallocation != Preallocation.OFF) {
            throw new BlockException(
                    Kind.UNSUPPORTED, "Preallocation is not supported when resizing images with an external data file");
        }
        dataFile.grow(disk.sizeBytes(), lengthBytes, isPlain());
        resizer.grow(disk.sizeBytes(), lengthBytes, preallocation);
        if (dataFile.raw() && isPlain()) {
            IdentityTables.link(context, tables, disk.sizeBytes(), lengthBytes);
            writeBack.flush();
        }
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
