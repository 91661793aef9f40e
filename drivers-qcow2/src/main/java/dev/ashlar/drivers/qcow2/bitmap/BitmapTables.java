package dev.ashlar.drivers.qcow2.bitmap;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.core.spi.PrintableName;
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
public final class BitmapTables {
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
        long[] words = new long[(int) entry.tableEntries()];
        MemorySegment table = file.store().view(entry.tableOffset(), 8L * words.length);
        for (int i = 0; i < words.length; i++) {
            words[i] = word(entry, Bits.u64(table, 8L * i));
        }
        return words;
    }

    private long word(BitmapEntry entry, long word) throws BlockException {
        if (!isValid(word, geometry)) {
            throw new BlockException(Kind.CORRUPT, unreadableTable(entry) + ": Invalid argument");
        }
        return word;
    }

    /** Whether a word of a table keeps to the format, wherever its cluster may lie. */
    public static boolean isValid(long word, ClusterGeometry geometry) {
        long offset = word & OFFSET_MASK;
        return (word & RESERVED_MASK) == 0 && (offset == 0 || ((word & ALL_ONES) == 0 && geometry.isAligned(offset)));
    }

    /**
     * What {@link #load} would refuse, but for places behind the end of the file: those a check tells of.
     *
     * @throws BlockException CORRUPT
     */
    void requireSound(BitmapEntry entry, long diskBytes) throws BlockException {
        long there = Math.clamp((file.lengthBytes() - entry.tableOffset()) / 8, 0, entry.tableEntries());
        if (there > 0) {
            MemorySegment table = file.store().view(entry.tableOffset(), 8 * there);
            for (long i = 0; i < there; i++) {
                word(entry, Bits.u64(table, 8 * i));
            }
        }
        requireEntriesFor(entry, diskBytes);
    }

    private void requireEntriesFor(BitmapEntry entry, long diskBytes) throws BlockException {
        if (entry.tableEntries() != geometry.clustersFor(BitmapEntry.bytesFor(diskBytes, entry.granularityBits()))) {
            throw new BlockException(Kind.CORRUPT, failure(entry) + "Invalid argument");
        }
    }

    private static String failure(BitmapEntry entry) {
        return "Could not read bitmap '" + PrintableName.of(entry.name()) + "' from image: ";
    }

    private static String unreadableTable(BitmapEntry entry) {
        return "Could not read bitmap_table table from image for bitmap '" + PrintableName.of(entry.name()) + "'";
    }

    /** Sets in a clean bitmap what is set in the image. */
    void load(BitmapEntry entry, DirtyBitmap bitmap) throws BlockException {
        long[] words = words(entry);
        requireEntriesFor(entry, bitmap.sizeBytes());
        MemorySegment buffer = MemorySegment.ofArray(new byte[geometry.clusterBytes()]);
        for (int i = 0; i < words.length; i++) {
            if (words[i] == 0) {
                continue;
            }
            budgetBytes -= geometry.clusterBytes();
            if (budgetBytes < 0) {
                throw new BlockException(
                        Kind.TOO_LARGE,
                        failure(entry) + "the image's bitmaps would take far more memory than the image");
            }
            if (words[i] == ALL_ONES) {
                buffer.fill((byte) -1);
            } else {
                try {
                    file.store().read(words[i] & OFFSET_MASK, buffer);
                } catch (BlockException e) {
                    throw new BlockException(e.kind(), failure(entry) + e.reason(), e);
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
