package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.PrintableName;
import dev.ashlar.drivers.qcow2.bitmap.BitmapTables;
import dev.ashlar.drivers.qcow2.format.BitmapDirectory;
import dev.ashlar.drivers.qcow2.format.BitmapEntry;
import dev.ashlar.drivers.qcow2.format.BitmapExtension;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Counts the clusters of stored bitmaps: directory, tables and data. A directory or table that breaks the format ends the check, as its clusters can't be told
 * from leaks. Source: qcow2 specification, "Bitmaps".
 */
final class BitmapWalk {
    /** Words that are looked at together. */
    private static final int STEP = 8192;

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

    /**
     * @param header as it was when the image was opened
     * @param extension as it is now; null: no bitmaps are kept
     * @throws BlockException CORRUPT: the check can't go on; why has been told
     */
    void walk(Qcow2Header header, @Nullable BitmapExtension extension, long diskBytes) throws BlockException {
        try {
            BitmapExtension.validate(header);
            if (extension == null) {
                return;
            }
            references.count(extension.directoryOffset(), extension.directoryBytes(), findings);
            if (extension.directoryBytes() == 0) {
                throw new BlockException(Kind.CORRUPT, "Requested bitmap directory size is zero");
            }
            MemorySegment directory = reader.bytes(extension.directoryOffset(), extension.directoryBytes());
            for (BitmapEntry entry : BitmapDirectory.parse(directory, extension.count(), diskBytes, geometry)) {
                table(entry);
            }
        } catch (BlockException e) {
            if (e.kind() != Kind.CORRUPT) {
                throw e;
            }
            findings.corruption("ERROR " + e.getMessage());
            throw new BlockException(Kind.CORRUPT, String.valueOf(e.getMessage()), "Invalid argument", e);
        }
    }

    private void table(BitmapEntry entry) throws BlockException {
        long bytes = entry.tableEntries() * 8;
        references.count(entry.tableOffset(), bytes, findings);
        // what lies behind the end has been told of, and there is nothing to read
        long end = references.isBehindEnd(entry.tableOffset(), bytes) ? 0 : entry.tableEntries();
        for (long from = 0; from < end; from += STEP) {
            long[] words = new long[(int) Math.min(STEP, end - from)];
            reader.words(entry.tableOffset() + 8 * from, words);
            for (long word : words) {
                if (!BitmapTables.isValid(word, geometry)) {
                    throw new BlockException(
                            Kind.CORRUPT,
                            "Could not read bitmap_table table from image for bitmap '" + PrintableName.of(entry.name())
                                    + "': Invalid argument");
                }
                long data = TableEntry.offset(word);
                if (data != 0) {
                    references.count(data, geometry.clusterBytes(), findings);
                }
            }
        }
    }
}
