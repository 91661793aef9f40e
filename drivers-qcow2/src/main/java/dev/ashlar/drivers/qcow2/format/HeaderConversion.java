package dev.ashlar.drivers.qcow2.format;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The header of an image in another version: its fields as they are, its extensions, and the name of its backing file where it lies or behind all that the old first
 * sector reads.
 */
public final class HeaderConversion {
    private final MemorySegment cluster;
    private final Qcow2Header header;
    private final int version;
    private final int headerBytes;
    private final int nameAt;
    private final int nameBytes;

    private HeaderConversion(MemorySegment cluster, Qcow2Header header, int version) {
        this.cluster = cluster;
        this.header = header;
        this.version = version;
        this.headerBytes = version < 3
                ? Qcow2Header.V2_BYTES
                : header.version() < 3 ? Qcow2Header.V3_NEW_BYTES : header.headerLengthBytes();
        this.nameAt = HeaderTail.nameOffset(cluster);
        this.nameBytes = HeaderTail.nameBytes(cluster);
    }

    /**
     * @param cluster the first cluster as it is, the header's fields as they are now
     * @param header the image as it was opened
     * @return whole sectors; those behind the first leave what the old first sector reads
     * @throws BlockException NO_SPACE when there is no safe place for all of it
     */
    public static byte[] convert(MemorySegment cluster, Qcow2Header header, int version) throws BlockException {
        HeaderConversion conversion = new HeaderConversion(cluster, header, version);
        // names of features are a courtesy: where there is no room, or no safe place, the image goes without
        byte[] converted = version >= 3 ? conversion.laidOut(true) : null;
        if (converted == null) {
            converted = conversion.laidOut(false);
        }
        if (converted == null) {
            throw new BlockException(Kind.NO_SPACE, "The header does not fit into a cluster of this size");
        }
        return converted;
    }

    private byte @Nullable [] laidOut(boolean featureNames) {
        List<HeaderExtension> extensions = new ArrayList<>(header.extensions());
        extensions.removeIf(extension -> extension.type() == HeaderExtension.FEATURE_NAMES
                || version < 3 && extension.type() == HeaderExtension.BITMAPS);
        if (featureNames) {
            extensions.add(new HeaderExtension(HeaderExtension.FEATURE_NAMES, HeaderWriter.featureNames()));
        }
        int end = headerBytes + HeaderWriter.encodedBytes(extensions);
        int name = placeForName(end);
        int bytes = Math.max(end, name + nameBytes) + Qcow2Header.SECTOR_BYTES - 1 & -Qcow2Header.SECTOR_BYTES;
        if (bytes > cluster.byteSize()) {
            return null;
        }
        byte[] fresh = cluster.asSlice(0, bytes).toArray(ValueLayout.JAVA_BYTE);
        MemorySegment front = MemorySegment.ofArray(fresh);
        MemorySegment.copy(cluster, nameAt, front, name, nameBytes);
        Bits.putU32(front, 4, version);
        Bits.putU64(front, 8, nameBytes == 0 ? 0 : name);
        if (version >= 3 && header.version() < 3) {
            front.asSlice(Qcow2Header.V2_BYTES, headerBytes - Qcow2Header.V2_BYTES)
                    .fill((byte) 0);
            Bits.putU32(front, 96, header.refcountOrder());
            Bits.putU32(front, 100, headerBytes);
        }
        front.asSlice(headerBytes, end - headerBytes).fill((byte) 0);
        HeaderWriter.encodeExtensions(extensions, front, headerBytes);
        return HeaderTail.isKept(cluster, front) ? fresh : null;
    }

    private int placeForName(int end) {
        if (nameBytes == 0 || nameAt >= end) {
            return nameAt;
        }
        int place = Math.max(end, behindFirstSector(nameAt + nameBytes));
        return Math.max(place, behindFirstSector(HeaderTail.extensionsEnd(cluster)));
    }

    /** Whatever lies in the first sector changes with it. */
    private static int behindFirstSector(int end) {
        return end > Qcow2Header.SECTOR_BYTES ? end + 7 & -8 : 0;
    }
}
