package dev.ashlar.drivers.qcow2.bitmap;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator;
import dev.ashlar.drivers.qcow2.alloc.ClusterAllocator.Run;
import dev.ashlar.drivers.qcow2.format.BitmapEntry;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The tables that name a bitmap's clusters of bits. A word is the host offset of a cluster, or 0 for bits that are all clear, or 1 for bits that are all
 * set. Source: qcow2 specification, "Bitmap table".
 */
final class BitmapTables {
    private static final long RESERVED_MASK = 0xff000000000001feL;
    private static final long OFFSET_MASK = 0x00fffffffffffe00L;
    private static final long ALL_ONES = 1;

    private final ImageFile file;
    private final ClusterGeometry geometry;
    /** What loading may still take of memory: an image that is hardly there claims as much as it likes. */
    private long budgetBytes;

    BitmapTables(ImageFile file) throws BlockException {
        this.file = file;
        this.geometry = file.geometry();
        this.budgetBytes = file.lengthBytes() + (64L << 20);
    }

    /** A table's words, checked. @throws BlockException CORRUPT */
    private long[] words(BitmapEntry entry) throws BlockException {
        if (entry.tableOffset() > file.lengthBytes() - 8 * entry.tableEntries()) {
            throw new BlockException(Kind.CORRUPT, unreadableTable(entry) + ": Input/output error");
        }
        MemorySegment table = file.store().view(entry.tableOffset(), 8 * entry.tableEntries());
        long[] words = new long[(int) entry.tableEntries()];
        for (int i = 0; i < words.length; i++) {
            long word = Bits.u64(table, 8L * i);
            long offset = word & OFFSET_MASK;
            boolean wrong = (word & RESERVED_MASK) != 0
                    || (offset != 0 && ((word & ALL_ONES) != 0 || !geometry.isAligned(offset)));
            if (wrong) {
                throw new BlockException(Kind.CORRUPT, unreadableTable(entry) + ": Invalid argument");
            }
            words[i] = word;
        }
        return words;
    }

    private static String unreadableTable(BitmapEntry entry) {
        return "Could not read bitmap_table table from image for bitmap '" + entry.name() + "'";
    }

    /** Sets in a clean bitmap what is set in the image. */
    void load(BitmapEntry entry, DirtyBitmap bitmap) throws BlockException {
        String failure = "Could not read bitmap '" + entry.name() + "' from image: ";
        long[] words = words(entry);
        long bytes = BitmapEntry.bytesFor(bitmap.sizeBytes(), entry.granularityBits());
        if (words.length != geometry.clustersFor(bytes)) {
            throw new BlockException(Kind.CORRUPT, failure + "Invalid argument");
        }
        MemorySegment buffer = MemorySegment.ofArray(new byte[geometry.clusterBytes()]);
        for (int i = 0; i < words.length; i++) {
            if (words[i] == 0) {
                continue;
            }
            budgetBytes -= geometry.clusterBytes();
            if (budgetBytes < 0) {
                throw new BlockException(
                        Kind.TOO_LARGE, failure + "the image's bitmaps would take far more memory than the image");
            }
            if (words[i] == ALL_ONES) {
                buffer.fill((byte) -1);
            } else {
                try {
                    file.store().read(words[i] & OFFSET_MASK, buffer);
                } catch (BlockException e) {
                    throw new BlockException(e.kind(), failure + e.reason(), e);
                }
            }
            bitmap.load((long) i * geometry.clusterBytes() * Byte.SIZE, buffer);
        }
    }

    /** What a bitmap takes in the file; clusters of bits that can't be told are left out. */
    List<Run> clusters(BitmapEntry entry) {
        List<Run> runs = new ArrayList<>();
        runs.add(new Run(geometry.clusterIndex(entry.tableOffset()), geometry.clustersFor(8 * entry.tableEntries())));
        try {
            for (long word : words(entry)) {
                if ((word & OFFSET_MASK) != 0) {
                    runs.add(new Run(geometry.clusterIndex(word & OFFSET_MASK), 1));
                }
            }
        } catch (BlockException e) {
            // Leaked, and found by a check.
            return runs;
        }
        return runs;
    }

    /**
     * Writes a bitmap to new clusters: its table, and behind it the clusters of bits of which any is set. Nothing refers to them yet. The caller holds
     * both locks of the metadata.
     *
     * @return the entry for it, neither in use nor with foreign data
     */
    BitmapEntry write(DirtyBitmap bitmap, byte[] rawName, ClusterAllocator allocator) throws BlockException {
        int granularityBits = Long.numberOfTrailingZeros(bitmap.granularityBytes());
        long bytes = BitmapEntry.bytesFor(bitmap.sizeBytes(), granularityBits);
        int clusterBytes = geometry.clusterBytes();
        int entries = (int) geometry.clustersFor(bytes);
        if (entries == 0) {
            // An empty disk: the format wants a table all the same.
            entries = 1;
        }
        MemorySegment buffer = MemorySegment.ofArray(new byte[clusterBytes]);
        boolean[] any = new boolean[entries];
        long wanted = 0;
        for (int i = 0; i < entries; i++) {
            any[i] = bitmap.store((long) i * clusterBytes * Byte.SIZE, buffer);
            wanted += any[i] ? 1 : 0;
        }
        long tableClusters = geometry.clustersFor(8L * entries);
        long first = allocator.allocateTable(tableClusters + wanted);
        boolean written = false;
        try {
            MemorySegment table = MemorySegment.ofArray(new byte[8 * entries]);
            long next = first + tableClusters;
            for (int i = 0; i < entries; i++) {
                if (any[i]) {
                    bitmap.store((long) i * clusterBytes * Byte.SIZE, buffer);
                    file.write(geometry.clusterOffset(next), buffer);
                    Bits.putU64(table, 8L * i, geometry.clusterOffset(next++));
                }
            }
            file.write(geometry.clusterOffset(first), table);
            written = true;
        } finally {
            if (!written) {
                allocator.release(first, tableClusters + wanted);
            }
        }
        int flags = bitmap.isEnabled() ? BitmapEntry.AUTO : 0;
        return new BitmapEntry(geometry.clusterOffset(first), entries, flags, granularityBits, new byte[0], rawName);
    }
}
