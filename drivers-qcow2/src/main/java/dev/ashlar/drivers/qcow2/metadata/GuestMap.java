package dev.ashlar.drivers.qcow2.metadata;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.Mapping;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.TableEntry;

/**
 * Translates guest ranges through an L1 table into runs: neighbouring clusters of one kind, and for data contiguous on the host, are one mapping.
 */
public final class GuestMap {
    private static final long NOT_RESIDENT = TableEntry.COMPRESSED | TableEntry.ZERO;

    private final ClusterGeometry geometry;
    private final ChildAccess data;

    public GuestMap(ImageFile file) {
        this.geometry = file.geometry();
        this.data = file.data();
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
        long at = nextUnit(table, guestOffset, word);
        if (TableEntry.isCompressed(word)) {
            return new Mapping.Encoded(
                    Mapping.Encoded.Kind.COMPRESSED,
                    word,
                    Math.min(geometry.alignDown(guestOffset) + geometry.clusterBytes(), end) - guestOffset);
        }
        while (at < end) {
            long next = wordAt(table, at);
            if (!continues(word, next, at - geometry.alignDown(guestOffset))) {
                break;
            }
            at = nextUnit(table, at, next);
        }
        long length = Math.min(at, end) - guestOffset;
        long host = TableEntry.offset(word);
        if (host != 0) {
            requireAligned(host, guestOffset);
            host += geometry.inCluster(guestOffset);
        }
        if (TableEntry.isZero(word)) {
            return new Mapping.Zero(length, host == 0 ? -1 : host);
        }
        return host == 0 ? new Mapping.Backing(length) : new Mapping.Data(data, host, length);
    }

    /** The first guest offset behind the cluster, or behind all that a missing L2 table would cover. */
    private long nextUnit(L1Table table, long guestOffset, long word) {
        long unit = word == 0 && TableEntry.offset(l1Entry(table, guestOffset)) == 0
                ? geometry.l1EntryCoverageBytes()
                : geometry.clusterBytes();
        long start = guestOffset & -unit;
        return start > Long.MAX_VALUE - unit ? Long.MAX_VALUE : start + unit;
    }

    private long l1Entry(L1Table table, long guestOffset) {
        long index = geometry.l1Index(guestOffset);
        return index < table.length() ? table.entry((int) index) : 0;
    }

    private long wordAt(L1Table table, long guestOffset) throws BlockException {
        long l1Index = geometry.l1Index(guestOffset);
        return l1Index < table.length() ? table.l2Entry((int) l1Index, geometry.l2Index(guestOffset)) : 0;
    }

    /** Whether a cluster {@code distance} bytes behind the first one continues its run. */
    private static boolean continues(long first, long next, long distance) {
        if (TableEntry.isCompressed(next) || TableEntry.isZero(first) != TableEntry.isZero(next)) {
            return false;
        }
        long host = TableEntry.offset(first);
        return TableEntry.offset(next) == (host == 0 ? 0 : host + distance);
    }

    private void requireAligned(long host, long guestOffset) throws BlockException {
        if (!geometry.isAligned(host)) {
            throw new BlockException(
                    Kind.CORRUPT,
                    "Cluster allocation offset 0x" + Long.toHexString(host) + " unaligned (guest offset: 0x"
                            + Long.toHexString(guestOffset) + ")",
                    "Input/output error",
                    null);
        }
    }

    /**
     * The hit path: no lock, no I/O, nothing allocated. The caller validates its stamp afterwards.
     *
     * @param writable only clusters that may be written where they are
     * @return the host offset of the whole range, or -1
     */
    public long direct(L1Table table, long sizeBytes, long guestOffset, long lengthBytes, boolean writable) {
        if (guestOffset < 0 || lengthBytes <= 0 || guestOffset > sizeBytes - lengthBytes) {
            return -1;
        }
        long last = geometry.alignDown(guestOffset + lengthBytes - 1);
        long host = -1;
        for (long at = geometry.alignDown(guestOffset); at <= last; at += geometry.clusterBytes()) {
            long l1Index = geometry.l1Index(at);
            if (l1Index >= table.length()) {
                return -1;
            }
            long word = table.l2EntryIfResident((int) l1Index, geometry.l2Index(at), NOT_RESIDENT);
            long offset = TableEntry.offset(word);
            if (!TableEntry.isData(word)
                    || !geometry.isAligned(offset)
                    || (writable && !(TableEntry.isCopied(word) && table.ownsL2((int) l1Index)))) {
                return -1;
            }
            if (host < 0) {
                host = offset;
            } else if (offset != host + (at - geometry.alignDown(guestOffset))) {
                return -1;
            }
        }
        return host + geometry.inCluster(guestOffset);
    }
}
