package dev.ashlar.drivers.qcow2.check;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.alloc.MetadataClass;
import dev.ashlar.drivers.qcow2.alloc.OverlapChecks;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.SubclusterBitmap;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import java.lang.foreign.MemorySegment;

/**
 * What can be mended in an L2 table while it is walked: a cluster that holds no data, only zeros, and lies where none can lie, is given up, and its guest range reads as
 * zeros as before. Any thread.
 */
final class L2Repair {
    private final ImageFile file;
    private final OverlapChecks overlaps;
    private final boolean repairing;
    private final MetadataClass own;

    /** @param active whose tables they are: a table may lie where tables of its kind do */
    L2Repair(ImageFile file, OverlapChecks overlaps, boolean repairing, boolean active) {
        this.file = file;
        this.overlaps = overlaps;
        this.repairing = repairing;
        this.own = active ? MetadataClass.ACTIVE_L2 : MetadataClass.INACTIVE_L2;
    }

    /** @return whether the entry names no cluster any more */
    boolean unalignedZeros(Findings findings, long l2Offset, int index, long offset, long bitmap)
            throws BlockException {
        String line = " offset=" + Long.toHexString(offset)
                + ": Preallocated cluster is not properly aligned; L2 entry corrupted.";
        if (!repairing) {
            findings.corruption("ERROR" + line);
            return false;
        }
        findings.say("Repairing" + line);
        boolean extended = file.geometry().extendedL2();
        MemorySegment entry = MemorySegment.ofArray(new byte[file.geometry().l2EntryBytes()]);
        Bits.putU64(entry, 0, extended ? 0 : TableEntry.ZERO);
        if (extended) {
            Bits.putU64(entry, 8, bitmap & SubclusterBitmap.ALL_ZEROS);
        }
        long at = l2Offset + file.layout().byteOffset(index);
        if (!overlaps.isFreeToMend(at, entry.byteSize(), own, findings::say)) {
            findings.corruptions++;
            findings.checkError("ERROR: Overlap check failed");
            return false;
        }
        file.write(at, entry);
        file.flush();
        findings.corruptionsFixed++;
        return true;
    }
}
