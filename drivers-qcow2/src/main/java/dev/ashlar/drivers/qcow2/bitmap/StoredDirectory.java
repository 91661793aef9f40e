package dev.ashlar.drivers.qcow2.bitmap;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator.Run;
import dev.ashlar.drivers.qcow2.alloc.MetadataClass;
import dev.ashlar.drivers.qcow2.alloc.MetadataRegions;
import dev.ashlar.drivers.qcow2.format.BitmapDirectory;
import dev.ashlar.drivers.qcow2.format.BitmapEntry;
import dev.ashlar.drivers.qcow2.format.BitmapExtension;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import dev.ashlar.drivers.qcow2.metadata.MetadataContext;
import dev.ashlar.drivers.qcow2.snapshot.ExclusiveMetadata;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The bitmap directory on disk, and the header extension that names it. Changes happen under {@link StoredBitmaps}' lock; looking is for any thread. Source: qcow2
 * specification, "Bitmap directory".
 */
final class StoredDirectory {
    private final MetadataContext context;
    private final ImageFile file;
    private final ClusterGeometry geometry;
    private final BitmapHeader header;
    /** Why it can't be used, of an image that is checked all the same. */
    private final @Nullable BlockException broken;

    private volatile @Nullable BitmapExtension extension;
    private volatile List<BitmapEntry> entries;

    private StoredDirectory(
            MetadataContext context,
            @Nullable BitmapExtension extension,
            @Nullable BlockException broken,
            List<BitmapEntry> entries) {
        this.broken = broken;
        this.context = context;
        this.file = context.file();
        this.geometry = context.geometry();
        this.header = new BitmapHeader(file, context.header());
        this.extension = extension;
        this.entries = entries;
        context.setBitmapRegions(this::collectRegions);
        context.setBitmapExtension(extension);
    }

    /**
     * Reads the directory.
     *
     * @param checking what is wrong with it is found by {@link #requireUsable}, and by a check
     * @throws BlockException CORRUPT
     */
    static StoredDirectory open(MetadataContext context, Qcow2Header header, boolean checking) throws BlockException {
        BitmapExtension extension = null;
        List<BitmapEntry> entries = List.of();
        BlockException broken = null;
        try {
            BitmapExtension.validate(header);
            extension = BitmapExtension.of(header);
            if (extension != null) {
                entries = readDirectory(context.file(), extension, header);
            }
        } catch (BlockException e) {
            if (!checking) {
                throw e;
            }
            extension = BitmapExtension.of(header);
            broken = e;
        }
        return new StoredDirectory(context, extension, broken, entries);
    }

    private static List<BitmapEntry> readDirectory(ImageFile file, BitmapExtension extension, Qcow2Header header)
            throws BlockException {
        if (extension.directoryBytes() == 0) {
            throw new BlockException(Kind.CORRUPT, "Requested bitmap directory size is zero");
        }
        if (extension.directoryOffset() > file.lengthBytes() - extension.directoryBytes()) {
            throw new BlockException(Kind.CORRUPT, "Failed to read bitmap directory: Input/output error");
        }
        MemorySegment directory = file.store().view(extension.directoryOffset(), extension.directoryBytes());
        return BitmapDirectory.parse(directory, extension.count(), header.sizeBytes(), header.geometry());
    }

    /** @throws BlockException CORRUPT: what is wrong with the directory of an image that is opened to be checked */
    void requireUsable() throws BlockException {
        if (broken != null) {
            throw broken;
        }
    }

    /** The entries as they are on disk, in their order. */
    List<BitmapEntry> entries() {
        return entries;
    }

    private void collectRegions(MetadataRegions.Builder builder) {
        BitmapExtension now = extension;
        if (now == null) {
            return;
        }
        builder.add(MetadataClass.BITMAP_DIRECTORY, now.directoryOffset(), now.directoryBytes());
        for (BitmapEntry entry : entries) {
            builder.add(entry.tableOffset(), 8 * entry.tableEntries());
        }
    }

    /** An extension that a program without bitmaps made void is dropped. */
    void dropVoid(Qcow2Header asOpened) throws BlockException {
        if (extension == null && BitmapExtension.find(asOpened) != null) {
            header.remove();
        }
    }

    /** All entries become those of bitmaps in use, durably. */
    void markInUse() throws BlockException {
        BitmapExtension now = extension;
        if (now == null) {
            return;
        }
        MemorySegment bytes = MemorySegment.ofArray(new byte[(int) now.directoryBytes()]);
        file.store().read(now.directoryOffset(), bytes);
        List<BitmapEntry> marked = new ArrayList<>(entries.size());
        long at = 0;
        for (BitmapEntry entry : entries) {
            BitmapEntry inUse = entry.withFlags(entry.flags() | BitmapEntry.IN_USE);
            // Entries are multiples of 8 long, so flags never lie in two sectors: each is marked or not, whatever
            // tears.
            Bits.putU32(bytes, at + BitmapDirectory.FLAGS_AT, inUse.flags());
            marked.add(inUse);
            at += entry.encodedBytes();
        }
        file.write(now.directoryOffset(), bytes);
        file.flush();
        entries = List.copyOf(marked);
    }

    /**
     * Writes a new directory, puts it in force and uncounts what is no longer named.
     *
     * @param old clusters of bitmaps that are not in the new directory as they were; those of the old directory are added
     */
    void replace(ExclusiveMetadata exclusive, List<BitmapEntry> fresh, List<Run> old) throws BlockException {
        BitmapExtension before = extension;
        BitmapExtension now = fresh.isEmpty() ? null : writeDirectory(fresh);
        exclusive.makeCountsDurable();
        if (now == null) {
            header.remove();
        } else {
            try {
                header.put(now);
            } catch (BlockException e) {
                if (!file.isFailed() && e.kind() == Kind.NO_SPACE) {
                    releaseDirectory(now);
                }
                throw e;
            }
        }
        if (before != null) {
            old.add(new Run(
                    geometry.clusterIndex(before.directoryOffset()), geometry.clustersFor(before.directoryBytes())));
        }
        extension = now;
        context.setBitmapExtension(now);
        entries = List.copyOf(fresh);
        // RC-: written when the locks are given back, durable with the next flush.
        try {
            for (Run run : old) {
                context.allocator().release(run.firstCluster(), run.count());
            }
        } catch (BlockException e) {
            file.fail(e);
            throw e;
        }
    }

    private BitmapExtension writeDirectory(List<BitmapEntry> fresh) throws BlockException {
        MemorySegment bytes = MemorySegment.ofArray(BitmapDirectory.encode(fresh));
        long first = context.allocator().allocateTable(geometry.clustersFor(bytes.byteSize()));
        file.write(geometry.clusterOffset(first), bytes);
        return new BitmapExtension(fresh.size(), bytes.byteSize(), geometry.clusterOffset(first));
    }

    private void releaseDirectory(BitmapExtension unused) throws BlockException {
        context.allocator()
                .release(
                        geometry.clusterIndex(unused.directoryOffset()), geometry.clustersFor(unused.directoryBytes()));
    }
}
