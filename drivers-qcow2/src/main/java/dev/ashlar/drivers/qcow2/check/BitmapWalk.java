package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import java.lang.foreign.MemorySegment;

/**
 * Counts the clusters of stored bitmaps: directory, tables and data. Source: qcow2
 * specification, "Bitmaps".
 */
final class BitmapWalk {
    private static final long MAX_DIRECTORY_BYTES = 64L << 20;
    private static final int ENTRY_HEAD_BYTES = 24;
    /** A table of this many entries stands for more bits than a bitmap may have. */
    private static final long MAX_TABLE_ENTRIES = 0x0800_0000L;

    private static final long RESERVED = 0xff00_0000_0000_01feL;
    private static final long ALL_ONES = 1;

    private final ClusterGeometry geometry;
    private final TableReader reader;
    private final ReferenceCounts references;
    private final Findings findings;

    BitmapWalk(ImageFile file, ReferenceCounts references, Findings findings) {
        this.geometry = file.geometry();
        this.reader = new TableReader(file);
        this.references = references;
        this.findings = findings;
    }

    /** @param offset of the directory, as the header says */
    void walk(long offset, long bytes) throws BlockException {
        if (bytes < 0 || bytes > MAX_DIRECTORY_BYTES) {
            throw invalid();
        }
        references.count(offset, bytes, findings);
        MemorySegment directory = reader.bytes(offset, bytes);
        for (long at = 0; at < bytes; ) {
            if (at + ENTRY_HEAD_BYTES > bytes) {
                throw invalid();
            }
            long entryBytes = ENTRY_HEAD_BYTES + Bits.u16(directory, at + 18) + Bits.u32(directory, at + 20);
            table(Bits.u64(directory, at), Bits.u32(directory, at + 8));
            at += (entryBytes + 7) & ~7L;
        }
    }

    private void table(long offset, long entries) throws BlockException {
        references.count(offset, entries * 8, findings);
        if (entries > MAX_TABLE_ENTRIES || references.isBehindEnd(offset, entries * 8)) {
            // told already; there is nothing to read
            return;
        }
        int step = 8192;
        for (long from = 0; from < entries; from += step) {
            long[] words = new long[(int) Math.min(step, entries - from)];
            reader.words(offset + 8 * from, words);
            for (long word : words) {
                data(word);
            }
        }
    }

    private void data(long word) {
        long data = TableEntry.offset(word);
        if ((word & RESERVED) != 0 || (data != 0 && ((word & ALL_ONES) != 0 || !geometry.isAligned(data)))) {
            findings.corruptions++;
        } else if (data != 0) {
            references.count(data, geometry.clusterBytes(), findings);
        }
    }

    private BlockException invalid() {
        findings.corruptions++;
        return new BlockException(Kind.CORRUPT, "Bitmap directory is invalid");
    }
}
