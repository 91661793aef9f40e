package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.format.BitmapExtension;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Counts the clusters of stored bitmaps: directory, tables and data. Source: qcow2 specification, "Bitmaps".
 */
final class BitmapWalk {
    private static final long MAX_DIRECTORY_BYTES = 64L << 20;
    private static final int ENTRY_HEAD_BYTES = 24;

    private final ImageFile file;
    private final ReferenceCounts references;
    private final Findings findings;

    BitmapWalk(ImageFile file, ReferenceCounts references, Findings findings) {
        this.file = file;
        this.references = references;
        this.findings = findings;
    }

    /** @param extension null where the image has no bitmaps: what an outdated extension names is leaked */
    void walk(@Nullable BitmapExtension extension) {
        if (extension != null) {
            directory(extension.directoryOffset(), extension.directoryBytes());
        }
    }

    private void directory(long offset, long bytes) {
        if (bytes < 0 || bytes > MAX_DIRECTORY_BYTES || !references.add(offset, bytes)) {
            findings.corruption("ERROR bitmap directory offset=0x" + Long.toHexString(offset) + " invalid");
            return;
        }
        try {
            MemorySegment directory = file.store().view(offset, bytes);
            long at = 0;
            while (at + ENTRY_HEAD_BYTES <= bytes) {
                table(Bits.u64(directory, at), Bits.u32(directory, at + 8));
                long entryBytes = ENTRY_HEAD_BYTES + Bits.u16(directory, at + 18) + Bits.u32(directory, at + 20);
                at += (entryBytes + 7) & ~7L;
            }
        } catch (BlockException e) {
            findings.checkError("ERROR bitmap directory: " + e.getMessage());
        }
    }

    private void table(long offset, long entries) throws BlockException {
        if (!references.add(offset, entries * 8)) {
            findings.corruption("ERROR bitmap table offset=0x" + Long.toHexString(offset) + " invalid");
            return;
        }
        MemorySegment table = file.store().view(offset, entries * 8);
        for (long i = 0; i < entries; i++) {
            long data = TableEntry.offset(Bits.u64(table, 8 * i));
            if (data != 0 && !references.add(data, file.geometry().clusterBytes())) {
                findings.corruption("ERROR bitmap data offset=0x" + Long.toHexString(data) + " invalid");
            }
        }
    }
}
