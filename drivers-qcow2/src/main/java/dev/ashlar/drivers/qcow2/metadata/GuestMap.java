package dev.ashlar.drivers.qcow2.metadata;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.drivers.qcow2.crypt.ImageEncryption;
import dev.ashlar.drivers.qcow2.format.AlternateHex;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.L2Layout;
import dev.ashlar.drivers.qcow2.format.SubclusterBitmap;
import dev.ashlar.drivers.qcow2.format.TableEntry;

/**
 * Translates guest ranges through an L1 table into runs: neighbouring sub-clusters of one kind, and for data contiguous on the host, are one mapping, across
 * clusters too.
 */
public final class GuestMap {
    /** Not an entry that can be: a compressed cluster with the flag of a standard one. */
    private static final long NOT_RESIDENT = TableEntry.COMPRESSED | TableEntry.ZERO;

    /** Host offset of what lies in no host cluster. */
    private static final long NOWHERE = -1;

    private final ClusterGeometry geometry;
    private final L2Layout layout;
    private final ChildAccess data;
    /** Only the driver can decrypt what is there. */
    private final boolean byGuestOffset;

    private final boolean zeroFlag;

    /** @param zeroFlag the image's version knows zero clusters */
    public GuestMap(ImageFile file, boolean zeroFlag) {
        this.zeroFlag = zeroFlag;
        this.geometry = file.geometry();
        this.layout = file.layout();
        this.data = file.data();
        ImageEncryption encryption = file.encryption();
        this.byGuestOffset = encryption != null && encryption.isByGuestOffset();
    }

    /**
     * @param sizeBytes of the disk; the range is cut there
     */
    public Mapping map(L1Table table, long sizeBytes, long guestOffset, long lengthBytes) throws BlockException {
        if (guestOffset >= sizeBytes) {
            return new Mapping.EndOfImage();
        }
        long end = guestOffset + Math.min(lengthBytes, sizeBytes - guestOffset);
        long word = wordAt(table, guestOffset);
        if (TableEntry.isCompressed(word)) {
            requireNoDataFile(table, guestOffset);
            return new Mapping.Encoded(
                    Mapping.Encoded.Kind.COMPRESSED,
                    word,
                    Math.min(geometry.alignDown(guestOffset) + geometry.clusterBytes(), end) - guestOffset);
        }
        long bitmap = bitmapAt(table, guestOffset, word);
        requirePossible(table, word, bitmap, guestOffset);
        int first = geometry.subclusterIndex(guestOffset);
        boolean allocated = SubclusterBitmap.isAllocated(bitmap, first);
        boolean zero = SubclusterBitmap.isZero(bitmap, first);
        long host = clusterHost(table, word, guestOffset);
        long at = runEnd(table, guestOffset, word, bitmap, first);
        while (at < end && geometry.isAligned(at)) {
            long next = wordAt(table, at);
            long nextBitmap = TableEntry.isCompressed(next) ? 0 : bitmapAt(table, at, next);
            long expected = host == NOWHERE ? NOWHERE : host + (at - geometry.alignDown(guestOffset));
            if (TableEntry.isCompressed(next)
                    || layout.isImpossible(next, nextBitmap)
                    || SubclusterBitmap.isAllocated(nextBitmap, 0) != allocated
                    || SubclusterBitmap.isZero(nextBitmap, 0) != zero
                    || hostOrNowhere(next) != expected) {
                break;
            }
            at = runEnd(table, at, next, nextBitmap, 0);
        }
        long length = Math.min(at, end) - guestOffset;
        long hostOffset = host == NOWHERE ? NOWHERE : host + geometry.inCluster(guestOffset);
        // where bytes are not stored as they are, no host space is told
        long keptSpace = data.transformsData() || byGuestOffset ? NOWHERE : hostOffset;
        if (zero) {
            return new Mapping.Zero(length, keptSpace);
        }
        if (allocated && byGuestOffset) {
            return new Mapping.Encoded(Mapping.Encoded.Kind.ENCRYPTED, hostOffset, length);
        }
        return allocated ? new Mapping.Data(data, hostOffset, length) : new Mapping.Backing(length, keptSpace);
    }

    /** The end of the run of equal sub-clusters from one on, within its cluster; or of all that a missing L2 table would cover. */
    private long runEnd(L1Table table, long guestOffset, long word, long bitmap, int first) {
        if (geometry.l1Index(guestOffset) >= table.length()) {
            // a snapshot may claim any size; what its L1 table does not reach is one run
            return Long.MAX_VALUE;
        }
        if (word == 0 && TableEntry.offset(l1Entry(table, guestOffset)) == 0) {
            return behind(guestOffset & -geometry.l1EntryCoverageBytes(), geometry.l1EntryCoverageBytes());
        }
        int last = SubclusterBitmap.runEnd(bitmap, first, geometry.subclusters());
        return behind(geometry.alignDown(guestOffset), (long) last << geometry.subclusterBits());
    }

    private static long behind(long start, long bytes) {
        return start > Long.MAX_VALUE - bytes ? Long.MAX_VALUE : start + bytes;
    }

    private long l1Entry(L1Table table, long guestOffset) {
        long index = geometry.l1Index(guestOffset);
        return index < table.length() ? table.entry((int) index) : 0;
    }

    private long wordAt(L1Table table, long guestOffset) throws BlockException {
        long l1Index = geometry.l1Index(guestOffset);
        return l1Index < table.length() ? table.l2Word((int) l1Index, geometry.l2Index(guestOffset)) : 0;
    }

    private long bitmapAt(L1Table table, long guestOffset, long word) throws BlockException {
        long l1Index = geometry.l1Index(guestOffset);
        return l1Index < table.length() ? table.l2Bitmap((int) l1Index, geometry.l2Index(guestOffset), word) : 0;
    }

    private long hostOrNowhere(long word) {
        return layout.namesCluster(word) ? TableEntry.offset(word) : NOWHERE;
    }

    private void requirePossible(L1Table table, long word, long bitmap, long guestOffset) throws BlockException {
        if (layout.isImpossible(word, bitmap)) {
            throw corruptEntry("Invalid cluster entry found ", table, guestOffset);
        }
        if (!zeroFlag && SubclusterBitmap.isZero(bitmap, 0)) {
            throw corruptEntry("Zero cluster entry found in pre-v3 image", table, guestOffset);
        }
    }

    private void requireNoDataFile(L1Table table, long guestOffset) throws BlockException {
        if (layout.externalData()) {
            throw corruptEntry("Compressed cluster entry found in image with external data file", table, guestOffset);
        }
    }

    /** Host offset of the cluster that a word names, or {@link #NOWHERE}. @throws BlockException CORRUPT for one that can't be */
    private long clusterHost(L1Table table, long word, long guestOffset) throws BlockException {
        if (!layout.namesCluster(word)) {
            return NOWHERE;
        }
        long host = TableEntry.offset(word);
        if (!geometry.isAligned(host)) {
            throw corruptEntry(
                    "Cluster allocation offset 0x" + Long.toHexString(host) + " unaligned", table, guestOffset);
        }
        if (layout.externalData() && host != geometry.alignDown(guestOffset)) {
            throw new BlockException(
                    Kind.CORRUPT,
                    "External data file host cluster offset 0x" + Long.toHexString(host)
                            + " does not match guest cluster offset: 0x"
                            + Long.toHexString(geometry.alignDown(guestOffset)) + ", L2 index: "
                            + AlternateHex.of(geometry.l2Index(guestOffset)) + ")",
                    "Input/output error",
                    null);
        }
        return host;
    }

    private BlockException corruptEntry(String what, L1Table table, long guestOffset) {
        return table.corruptEntry(what, (int) geometry.l1Index(guestOffset), geometry.l2Index(guestOffset));
    }

    /**
     * The hit path: no lock, no I/O, nothing allocated. The caller validates its stamp afterwards.
     *
     * @param writable only clusters that may be written where they are
     * @return the host offset of the whole range, or -1
     */
    public long direct(L1Table table, long sizeBytes, long guestOffset, long lengthBytes, boolean writable) {
        if (byGuestOffset || guestOffset < 0 || lengthBytes <= 0 || guestOffset > sizeBytes - lengthBytes) {
            return -1;
        }
        long start = geometry.alignDown(guestOffset);
        long end = guestOffset + lengthBytes;
        long host = -1;
        for (long at = start; at < end; at += geometry.clusterBytes()) {
            long l1Index = geometry.l1Index(at);
            if (l1Index >= table.length()) {
                return -1;
            }
            int l2Index = geometry.l2Index(at);
            long word = table.l2WordIfResident((int) l1Index, l2Index, NOT_RESIDENT);
            long bitmap = table.l2BitmapIfResident((int) l1Index, l2Index, word, 0);
            long touched = layout.touched(at, guestOffset, end);
            long offset = TableEntry.offset(word);
            if (!layout.namesCluster(word)
                    || (bitmap & touched) != touched
                    || SubclusterBitmap.contradicts(bitmap)
                    || !geometry.isAligned(offset)
                    || (layout.externalData() && offset != at)
                    || (writable && !(TableEntry.isCopied(word) && table.ownsL2((int) l1Index)))) {
                return -1;
            }
            if (host < 0) {
                host = offset;
            } else if (offset != host + (at - start)) {
                return -1;
            }
        }
        return host + geometry.inCluster(guestOffset);
    }
}
