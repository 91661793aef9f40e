package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.drivers.qcow2.alloc.RefcountTable;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;

/** The refcount table and its blocks as a check sees them: what is wrong with their places, and the counts in them wherever they can be read. */
final class RefcountStructure {
    private static final long RESERVED = 0x1ff;
    /** By how much a small file may grow to give a block its place. */
    private static final long MAX_GROWTH_BYTES = 1L << 30;

    private final ImageFile file;
    private final ClusterGeometry geometry;
    private final RefcountTable table;
    private final TableReader reader;

    RefcountStructure(ImageFile file, RefcountTable table) {
        this.file = file;
        this.geometry = file.geometry();
        this.table = table;
        this.reader = new TableReader(file);
    }

    /** What the walk over the blocks leaves to do. */
    enum Verdict {
        SOUND,
        /** Only new blocks and a new table help. */
        REBUILD,
        /** The file got longer on the way, so all references are to be counted again. */
        FILE_GREW
    }

    /** Counts the table and its blocks. @param repairing a block behind the end of the file gets its place */
    Verdict walk(ReferenceCounts references, Findings findings, boolean repairing) throws BlockException {
        boolean rebuild = false;
        boolean grew = false;
        for (int i = 0; i < table.tableEntries(); i++) {
            long offset = table.blockOffset(i) & ~RESERVED;
            if ((table.blockOffset(i) & RESERVED) != 0) {
                findings.corruption("ERROR refcount table entry " + i + " has reserved bits set");
                rebuild = true;
            } else if (!geometry.isAligned(offset)) {
                findings.corruption(
                        "ERROR refcount block " + i + " is not cluster aligned; refcount table entry corrupted");
                rebuild = true;
            } else if (offset < 0 || geometry.clusterIndex(offset) >= references.clusters()) {
                boolean placed = outside(references, findings, i, offset, repairing);
                grew |= placed;
                rebuild |= repairing && !placed;
            } else if (offset != 0) {
                references.count(offset, geometry.clusterBytes(), findings);
                long count = references.get(geometry.clusterIndex(offset));
                if (count != 1) {
                    findings.corruption("ERROR refcount block " + i + " refcount=" + count);
                    // where the header is taken for a table it names the refcount table, wherever that lies
                    rebuild |= references.get(0) == 1;
                }
            }
        }
        return grew ? Verdict.FILE_GREW : rebuild ? Verdict.REBUILD : Verdict.SOUND;
    }

    /** @return whether the file reaches behind the block now */
    private boolean outside(ReferenceCounts references, Findings findings, int index, long offset, boolean repairing) {
        String line = " refcount block " + index + " is outside image";
        if (!repairing) {
            findings.corruption("ERROR" + line);
            return false;
        }
        findings.say("Repairing" + line);
        String reason = "File too large";
        // clusters that something refers to are not to become a refcount block, and a table is no reason for a file
        // without bounds
        long limit = references.fileClusters()
                + Math.max(references.fileClusters(), MAX_GROWTH_BYTES >> geometry.clusterBits());
        if (offset > 0
                && geometry.clusterIndex(offset) < Math.min(limit, Integer.MAX_VALUE)
                && references.firstFreeBehindEnd(geometry.clusterIndex(offset)) == geometry.clusterIndex(offset)) {
            try {
                file.grow(offset + geometry.clusterBytes(), Preallocation.OFF);
                findings.corruptionsFixed++;
                return true;
            } catch (BlockException e) {
                reason = e.reason();
            }
        }
        findings.corruption("ERROR could not resize image: " + reason);
        return false;
    }

    /** Refcount blocks that the table has room for. */
    int tableEntries() {
        return table.tableEntries();
    }

    /** Whether the counts of a block can be read: its place is none otherwise. */
    boolean isReadable(int block) {
        return geometry.isAligned(table.blockOffset(block) & ~RESERVED);
    }

    /** Whether the count of a cluster can be read, or is 0 since it has no place. */
    boolean isReadableFor(long cluster) {
        long block = cluster >>> geometry.refcountBlockBits();
        return block >= tableEntries() || isReadable((int) block);
    }

    /** The block's bytes, or null where there is no block and all counts are 0. */
    java.lang.foreign.@org.jspecify.annotations.Nullable MemorySegment block(int index) throws BlockException {
        if (index >= table.tableEntries()) {
            return null;
        }
        long offset = table.blockOffset(index) & ~RESERVED;
        if (offset == 0) {
            return null;
        }
        if (table.blockOffset(index) == offset
                && offset > 0
                && offset <= file.lengthBytes() - geometry.clusterBytes()) {
            // the table's own buffers may hold newer counts
            return table.view(index);
        }
        return reader.bytes(offset, geometry.clusterBytes());
    }

    /** The offset in the table, as it stands there but for reserved bits. */
    long blockOffset(int index) {
        return table.blockOffset(index) & ~RESERVED;
    }
}
