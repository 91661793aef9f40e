package dev.ashlar.drivers.qcow2.metadata;

import dev.ashlar.core.BlockException;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.Feature;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The first 512 bytes of the image, which can't tear: what is set together is switched with one {@link #write} (rule R7). Guarded by the image's
 * metadata lock.
 */
public final class HeaderSector {
    /** Length and offset of the L1 table to offset of the snapshot table: all that puts tables in force. */
    private static final int POINTERS_AT = 36;

    private static final int POINTERS_BYTES = 36;

    private final MemorySegment sector = Arena.ofAuto().allocate(Qcow2Header.SECTOR_BYTES, 8);
    /** For assertions: the pointers as they were written last. */
    private final MemorySegment inForce = Arena.ofAuto().allocate(POINTERS_BYTES, 8);

    /** @param head the file's first bytes, at least 512 */
    public HeaderSector(MemorySegment head) {
        MemorySegment.copy(head, 0, sector, 0, Qcow2Header.SECTOR_BYTES);
        assert putInForce();
    }

    private MemorySegment pointers() {
        return sector.asSlice(POINTERS_AT, POINTERS_BYTES);
    }

    private boolean putInForce() {
        inForce.copyFrom(pointers());
        return true;
    }

    /** Of the image's format, as it is now. */
    public int version() {
        return (int) Bits.u32(sector, 4);
    }

    public void setSize(long sizeBytes) {
        Bits.putU64(sector, 24, sizeBytes);
    }

    public void setL1(long l1TableOffset, long l1Entries) {
        Bits.putU32(sector, 36, l1Entries);
        Bits.putU64(sector, 40, l1TableOffset);
    }

    public void setRefcountTable(long offset, long clusters) {
        Bits.putU64(sector, 48, offset);
        Bits.putU32(sector, 56, clusters);
    }

    /** Table and width of the refcounts, of a version 3 image. */
    public void setRefcounts(long tableOffset, long tableClusters, int refcountOrder) {
        setRefcountTable(tableOffset, tableClusters);
        Bits.putU32(sector, 96, refcountOrder);
    }

    public void setCompatibleFeatures(long bits) {
        Bits.putU64(sector, 80, bits);
    }

    public void setSnapshots(long tableOffset, long count) {
        Bits.putU32(sector, 60, count);
        Bits.putU64(sector, 64, tableOffset);
    }

    /** As it stands, however many that is. */
    public long snapshotCount() {
        return Bits.u32(sector, 60);
    }

    public long snapshotTableOffset() {
        return Bits.u64(sector, 64);
    }

    public void setIncompatibleFeatures(long bits) {
        Bits.putU64(sector, 72, bits);
    }

    /** Version 2 has no feature bits. */
    public long incompatibleFeatures() {
        return Bits.u32(sector, 4) >= 3 ? Bits.u64(sector, 72) : 0;
    }

    /** Sets the corrupt bit. @return false: the image's version has none, nothing has changed */
    public boolean markCorrupt() {
        boolean hasBit = Bits.u32(sector, 4) >= 3;
        if (hasBit) {
            setIncompatibleFeatures(incompatibleFeatures() | Feature.CORRUPT);
        }
        return hasBit;
    }

    public void setAutoclearFeatures(long bits) {
        Bits.putU64(sector, 88, bits);
    }

    /** 0 where the image's version has none. */
    public long autoclearFeatures() {
        return Bits.u32(sector, 4) >= 3 ? Bits.u64(sector, 88) : 0;
    }

    /** The sector as it will be written; changes by others show. */
    public MemorySegment view() {
        return sector.asReadOnly();
    }

    /** Replaces some bytes. */
    public void set(long at, MemorySegment bytes) {
        MemorySegment.copy(bytes, 0, sector, at, bytes.byteSize());
    }

    /** Takes over all of the first sector. @param head its bytes, and possibly more */
    public void replace(MemorySegment head) {
        MemorySegment.copy(head, 0, sector, 0, Qcow2Header.SECTOR_BYTES);
    }

    public void write(ImageFile file) throws BlockException {
        assert file.isFailed() || file.isSettled() || pointers().mismatch(inForce) < 0
                : "R1, R2, R7: what the header is to name is not durable";
        file.write(0, sector);
        assert putInForce();
    }
}
