package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockStatus;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.core.spi.MeasureRequest;
import dev.ashlar.core.spi.MeasuredSize;
import dev.ashlar.core.spi.MeasuredSource;
import dev.ashlar.drivers.qcow2.crypt.NewEncryption;
import dev.ashlar.drivers.qcow2.format.BitmapEntry;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * How large the file of a new image gets, by the arithmetic of {@code qemu-img measure}: header, L1 table, all L2 tables, refcounts for all of
 * that, and the clusters with data. Sizes are unsigned and wrap as QEMU's do; what wraps is then refused as too large or tiny.
 */
final class MeasuredLayout {
    private static final int TABLE_ENTRY_BYTES = 8;

    private final MeasureOptions options;
    private final ClusterGeometry geometry;
    private final int clusterBytes;

    private MeasuredLayout(MeasureOptions options) {
        this.options = options;
        geometry = options.geometry();
        clusterBytes = geometry.clusterBytes();
    }

    static MeasuredSize of(MeasureRequest request) throws BlockException {
        MeasuredLayout layout = new MeasuredLayout(MeasureOptions.parse(request.options()));
        long cryptoBytes = layout.cryptoBytes(request);
        layout.requireSize(layout.wholeClusters(layout.options.sizeBytes()));
        return layout.measure(request.source(), cryptoBytes);
    }

    private MeasuredSize measure(@Nullable MeasuredSource source, long cryptoBytes) throws BlockException {
        long diskBytes = wholeClusters(source == null ? options.sizeBytes() : source.lengthBytes());
        long dataBytes;
        if (options.allocatesData()) {
            dataBytes = diskBytes;
        } else if (source == null) {
            dataBytes = 0;
        } else {
            // How much of a backing file both images share is not known: the worst case is nothing.
            dataBytes = options.hasBackingFile() ? diskBytes : dataBytes(source);
        }
        long fullBytes = diskBytes + metadataBytes(diskBytes) + cryptoBytes;
        OptionalLong bitmapsBytes = OptionalLong.empty();
        if (source != null && options.version() >= 3 && source.canKeepBitmaps()) {
            bitmapsBytes = OptionalLong.of(bitmapsBytes(source));
        }
        return new MeasuredSize(fullBytes - diskBytes + dataBytes, fullBytes, bitmapsBytes);
    }

    private long cryptoBytes(MeasureRequest request) throws BlockException {
        // Any other format has no header of its own.
        if (!"luks".equals(request.options().get("encrypt.format"))) {
            return 0;
        }
        NewEncryption encryption = NewEncryption.parse(request.options());
        if (encryption == null) {
            return 0;
        }
        Arrays.fill(request.secrets().secret(encryption.secretId()), (byte) 0);
        return wholeClusters(encryption.headerBytes());
    }

    private void requireSize(long diskBytes) throws BlockException {
        long clusters = diskBytes >>> geometry.clusterBits();
        long l2Tables = (clusters + geometry.l2Entries() - 1) >>> geometry.l2Bits();
        if (l2Tables * TABLE_ENTRY_BYTES > Qcow2Header.MAX_L1_BYTES) {
            throw new BlockException(Kind.TOO_LARGE, "The image size is too large (try using a larger cluster size)");
        }
    }

    /** Bytes of the clusters that hold data of the source; what two runs share of a cluster counts once. */
    private long dataBytes(MeasuredSource source) throws BlockException {
        long end = source.lengthBytes();
        long bytes = 0;
        long offset = 0;
        while (offset < end) {
            BlockStatus status = status(source, offset);
            long next = offset + status.lengthBytes();
            if (!status.zero() && status.data() && status.allocated()) {
                next = wholeClusters(next);
                bytes += next - (offset & -clusterBytes);
            }
            offset = next;
        }
        return bytes;
    }

    private static BlockStatus status(MeasuredSource source, long offset) throws BlockException {
        try {
            return source.status(offset);
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "Unable to get block status: " + e.reason(), e);
        }
    }

    /** Header, tables and refcounts of an image whose every cluster is allocated. */
    private long metadataBytes(long diskBytes) {
        long diskClusters = diskBytes >>> geometry.clusterBits();
        long l2Clusters = (diskClusters + geometry.l2Entries() - 1) >>> geometry.l2Bits();
        long l1Clusters = geometry.clustersFor(l2Clusters * TABLE_ENTRY_BYTES);
        long clusters = 1 + l2Clusters + l1Clusters;
        return (clusters + refcountClusters(clusters + diskClusters)) * clusterBytes;
    }

    /** Clusters of refcount blocks and table that count so many clusters and themselves. */
    private long refcountClusters(long counted) {
        long perBlock = (long) clusterBytes * 8 >>> geometry.refcountOrder();
        long perTableCluster = clusterBytes / TABLE_ENTRY_BYTES;
        long blocks = 0;
        long tables = 0;
        while (true) {
            long needed = ceil(counted + blocks + tables, perBlock);
            long neededTables = ceil(needed, perTableCluster);
            if (needed == blocks && neededTables == tables) {
                return blocks + tables;
            }
            blocks = needed;
            tables = neededTables;
        }
    }

    /** As if every bit table were stored in full. */
    private long bitmapsBytes(MeasuredSource source) {
        long bytes = 0;
        long directoryBytes = 0;
        for (DirtyBitmap bitmap : source.bitmaps()) {
            String name = bitmap.name();
            if (name == null || !bitmap.isPersistent() || bitmap.isInconsistent()) {
                continue;
            }
            long bitBytes = ceil(ceil(bitmap.sizeBytes(), bitmap.granularityBytes()), 8);
            long clusters = ceil(bitBytes, clusterBytes);
            bytes += clusters * clusterBytes + wholeClusters(clusters * TABLE_ENTRY_BYTES);
            directoryBytes += BitmapEntry.encodedBytes(0, name.getBytes(StandardCharsets.UTF_8).length);
        }
        return bytes + wholeClusters(directoryBytes);
    }

    private long wholeClusters(long bytes) {
        return (bytes + clusterBytes - 1) & -clusterBytes;
    }

    private static long ceil(long number, long unit) {
        return (number + unit - 1) / unit;
    }
}
