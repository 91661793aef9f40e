package dev.ashlar.drivers.qcow2.bitmap;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.drivers.qcow2.format.BitmapExtension;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.Feature;
import dev.ashlar.drivers.qcow2.format.HeaderExtension;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import dev.ashlar.drivers.qcow2.metadata.HeaderSector;
import dev.ashlar.drivers.qcow2.metadata.ImageFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The bitmaps extension in the first cluster, changed so that a power cut leaves the old one or the new one.
 *
 * <p>The header's first sector can't tear, but the extension may lie behind it. Where what changes of its payload lies in one sector, that sector is the switch. A new
 * extension is appended: what lies in later sectors is written and flushed before the sector that makes it part of the list, and the first sector with
 * the autoclear bit comes last. Where it straddles two sectors the autoclear bit is cleared first, durably, and set again at the end: a crash in between
 * costs the bitmaps, as the format provides.
 *
 * <p>The caller holds both locks of the metadata.
 */
final class BitmapHeader {
    private static final int SECTOR = Qcow2Header.SECTOR_BYTES;
    private static final int HEAD_BYTES = 8;
    private static final int BACKING_OFFSET_AT = 8;
    private static final int HEADER_LENGTH_AT = 100;

    private final ImageFile file;
    private final HeaderSector sector;

    BitmapHeader(ImageFile file, HeaderSector sector) {
        this.file = file;
        this.sector = sector;
    }

    /**
     * The extensions as they lie.
     *
     * @param cluster the first cluster, the header's sector as in memory
     * @param limit extensions end there
     * @param at the bitmaps extension, or -1
     * @param end behind the last extension
     */
    private record Layout(MemorySegment cluster, long limit, long at, long end) {
        long payload() {
            return at + HEAD_BYTES;
        }

        boolean hasNameOfBackingFile() {
            return Bits.u64(cluster, BACKING_OFFSET_AT) != 0;
        }
    }

    private Layout read() throws BlockException {
        int clusterBytes = file.geometry().clusterBytes();
        MemorySegment cluster = MemorySegment.ofArray(new byte[clusterBytes]);
        file.store().read(0, cluster.asSlice(0, Math.min(clusterBytes, file.lengthBytes())));
        MemorySegment.copy(sector.view(), 0, cluster, 0, SECTOR);
        long backing = Bits.u64(cluster, BACKING_OFFSET_AT);
        long limit = backing != 0 ? backing : clusterBytes;
        long at = -1;
        long end = Bits.u32(cluster, HEADER_LENGTH_AT);
        while (end + HEAD_BYTES <= limit && (int) Bits.u32(cluster, end) != HeaderExtension.END) {
            if ((int) Bits.u32(cluster, end) == HeaderExtension.BITMAPS) {
                at = end;
            }
            end += extensionBytes(cluster, end);
        }
        return new Layout(cluster, limit, at, end);
    }

    private static long extensionBytes(MemorySegment cluster, long at) {
        return HEAD_BYTES + (Bits.u32(cluster, at + 4) + 7 & ~7L);
    }

    /** Puts a directory in force. All that it names is durable. */
    void put(BitmapExtension extension) throws BlockException {
        MemorySegment payload = MemorySegment.ofArray(extension.encode());
        Layout layout = read();
        if (layout.at() < 0) {
            add(layout, payload);
            return;
        }
        long first = layout.payload();
        if (!changesOneSector(layout, payload)) {
            setAutoclear(false);
            layout = read();
        }
        write(layout.cluster(), first, payload);
        file.flush();
        setAutoclear(true);
    }

    /** Where number and length of the entries stay as they are, only the offset changes. */
    private static boolean changesOneSector(Layout layout, MemorySegment payload) {
        long start = layout.payload();
        MemorySegment old = layout.cluster().asSlice(start, payload.byteSize());
        long first = old.mismatch(payload);
        long last = payload.byteSize() - 1;
        while (last > first && old.get(ValueLayout.JAVA_BYTE, last) == payload.get(ValueLayout.JAVA_BYTE, last)) {
            last--;
        }
        return first < 0 || (start + first) / SECTOR == (start + last) / SECTOR;
    }

    private void add(Layout given, MemorySegment payload) throws BlockException {
        Layout layout = makeRoom(given);
        long at = layout.end();
        MemorySegment added = MemorySegment.ofArray(new byte[BitmapExtension.ENCODED_BYTES + HEAD_BYTES]);
        Bits.putU32(added, 0, HeaderExtension.BITMAPS);
        Bits.putU32(added, 4, payload.byteSize());
        MemorySegment.copy(payload, 0, added, HEAD_BYTES, payload.byteSize());
        long boundary = Math.min(at + added.byteSize(), (at / SECTOR + 1) * SECTOR);
        long here = boundary - at;
        if (here < added.byteSize()) {
            write(layout.cluster(), boundary, added.asSlice(here));
            file.flush();
        }
        if (at < SECTOR) {
            sector.set(at, added.asSlice(0, here));
        } else {
            write(layout.cluster(), at, added.asSlice(0, here));
            file.flush();
        }
        writeAutoclear(true);
    }

    /** Moves the name of the backing file, or in clusters of one sector drops the names of features, so that there is room at the end. */
    private Layout makeRoom(Layout layout) throws BlockException {
        long needed = BitmapExtension.ENCODED_BYTES + HEAD_BYTES;
        if (layout.end() + needed <= layout.limit()) {
            return layout;
        }
        int clusterBytes = file.geometry().clusterBytes();
        if (clusterBytes == SECTOR) {
            return dropFeatureNames(layout);
        }
        if (!layout.hasNameOfBackingFile() || layout.end() + HEAD_BYTES > layout.limit()) {
            // Without an end mark the name would be taken for an extension once its offset has changed.
            throw noRoom();
        }
        long nameBytes = Bits.u32(layout.cluster(), 16);
        long to = Math.max(layout.end() + needed, layout.limit() + nameBytes) + 7 & ~7L;
        if (to + nameBytes > clusterBytes) {
            throw noRoom();
        }
        MemorySegment name = MemorySegment.ofArray(
                layout.cluster().asSlice(layout.limit(), nameBytes).toArray(ValueLayout.JAVA_BYTE));
        write(layout.cluster(), to, name);
        file.flush();
        MemorySegment offset = MemorySegment.ofArray(new byte[8]);
        Bits.putU64(offset, 0, to);
        sector.set(BACKING_OFFSET_AT, offset);
        sector.write(file);
        file.flush();
        return read();
    }

    /** All is in one sector, which changes at once. */
    private Layout dropFeatureNames(Layout layout) throws BlockException {
        MemorySegment old = layout.cluster();
        MemorySegment fresh = MemorySegment.ofArray(new byte[SECTOR]);
        long to = Bits.u32(old, HEADER_LENGTH_AT);
        MemorySegment.copy(old, 0, fresh, 0, to);
        for (long at = to; at < layout.end(); ) {
            long bytes = extensionBytes(old, at);
            if ((int) Bits.u32(old, at) != HeaderExtension.FEATURE_NAMES) {
                MemorySegment.copy(old, at, fresh, to, bytes);
                to += bytes;
            }
            at += bytes;
        }
        to += BitmapExtension.ENCODED_BYTES + HEAD_BYTES;
        long nameBytes = layout.hasNameOfBackingFile() ? Bits.u32(old, 16) : 0;
        if (to + nameBytes > SECTOR) {
            throw noRoom();
        }
        if (nameBytes > 0) {
            MemorySegment.copy(old, layout.limit(), fresh, to, nameBytes);
            Bits.putU64(fresh, BACKING_OFFSET_AT, to);
        }
        sector.set(0, fresh);
        sector.write(file);
        file.flush();
        return read();
    }

    private static BlockException noRoom() {
        return new BlockException(Kind.NO_SPACE, "No room for the bitmaps extension in the header");
    }

    /** Takes the extension out of force and, if it is the last one, out of the header. */
    void remove() throws BlockException {
        setAutoclear(false);
        Layout layout = read();
        if (layout.at() >= 0 && layout.at() + BitmapExtension.ENCODED_BYTES == layout.end()) {
            write(layout.cluster(), layout.at(), MemorySegment.ofArray(new byte[HEAD_BYTES]));
            file.flush();
        }
    }

    private void setAutoclear(boolean on) throws BlockException {
        if (((sector.autoclearFeatures() & Feature.BITMAPS) != 0) != on) {
            writeAutoclear(on);
        }
    }

    private void writeAutoclear(boolean on) throws BlockException {
        long others = sector.autoclearFeatures() & ~Feature.BITMAPS;
        sector.setAutoclearFeatures(others | (on ? Feature.BITMAPS : 0));
        sector.write(file);
        file.flush();
    }

    /** Writes whole sectors, each with the bytes put in; the cluster's copy follows. */
    private void write(MemorySegment cluster, long at, MemorySegment bytes) throws BlockException {
        MemorySegment.copy(bytes, 0, cluster, at, bytes.byteSize());
        long from = at / SECTOR * SECTOR;
        long to = (at + bytes.byteSize() + SECTOR - 1) / SECTOR * SECTOR;
        if (from == 0) {
            sector.set(0, cluster.asSlice(0, SECTOR));
            sector.write(file);
            from = SECTOR;
        }
        if (to > from) {
            file.write(from, cluster.asSlice(from, to - from));
        }
    }
}
