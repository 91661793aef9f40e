package dev.ashlar.drivers.qcow2.format;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The header of an image, validated.
 *
 * <pre>
 *    0 magic "QFI\xfb"          4 version               8 backing file name: offset
 *   16 backing name: length    20 cluster bits         24 virtual size (bytes)
 *   32 encryption method       36 L1 entries           40 L1 table offset
 *   48 refcount table offset   56 its clusters         60 snapshots      64 snapshot table offset
 *   -- version 3 --            72 incompatible         80 compatible     88 autoclear features
 *   96 refcount order         100 header length       104 compression type
 * </pre>
 *
 * All that changes together lies in the first 512 bytes, which can't tear (rule R7). Source: qcow2 specification, "Header".
 *
 * @param version 2 or 3
 * @param backingFile name as stored, or null
 * @param sizeBytes virtual size
 * @param compressionType 0 zlib, 1 zstd
 */
public record Qcow2Header(
        int version,
        @Nullable String backingFile,
        int clusterBits,
        long sizeBytes,
        int encryptionMethod,
        long l1Entries,
        long l1TableOffset,
        long refcountTableOffset,
        long refcountTableClusters,
        long snapshotCount,
        long snapshotTableOffset,
        long incompatibleFeatures,
        long compatibleFeatures,
        long autoclearFeatures,
        int refcountOrder,
        int headerLengthBytes,
        int compressionType,
        List<HeaderExtension> extensions) {

    public static final int MAGIC = 0x514649fb;
    public static final int V2_BYTES = 72;
    public static final int V3_BYTES = 104;
    /** Header that new version 3 images get: with the compression type, padded to 8. */
    public static final int V3_NEW_BYTES = 112;

    public static final int SECTOR_BYTES = 512;
    public static final int MAX_BACKING_NAME_BYTES = 1023;

    public static final long MAX_L1_BYTES = 32L << 20;
    public static final long MAX_REFCOUNT_TABLE_BYTES = 8L << 20;
    /** Ours: a LUKS1 header with its key material is about 2 MiB. */
    public static final long MAX_CRYPTO_BYTES = 16L << 20;

    public static final int ENCRYPTION_AES = 1;
    public static final int ENCRYPTION_LUKS = 2;

    public Qcow2Header {
        extensions = List.copyOf(extensions);
    }

    public boolean has(long incompatibleFeature) {
        return (incompatibleFeatures & incompatibleFeature) != 0;
    }

    public ClusterGeometry geometry() {
        return new ClusterGeometry(clusterBits, refcountOrder, has(Feature.EXTENDED_L2));
    }

    public L2Layout layout() {
        return new L2Layout(geometry(), has(Feature.DATA_FILE));
    }

    public @Nullable String backingFormat() {
        String format = null;
        for (HeaderExtension extension : extensions) {
            if (extension.type() == HeaderExtension.BACKING_FORMAT) {
                // Of several the last one counts, as in QEMU.
                format = new String(extension.data(), StandardCharsets.UTF_8);
            }
        }
        return format;
    }

    /** Name of the external data file as stored, or null. */
    public @Nullable String dataFileName() {
        for (HeaderExtension extension : extensions) {
            if (extension.type() == HeaderExtension.DATA_FILE && extension.data().length > 0) {
                return new String(extension.data(), StandardCharsets.UTF_8);
            }
        }
        return null;
    }

    /** Whether the data file alone reads as the disk. */
    public boolean dataFileIsRaw() {
        return (autoclearFeatures & Feature.DATA_FILE_RAW) != 0;
    }

    /**
     * Reads and validates a header; tables are checked against the format's limits and {@code fileBytes}.
     *
     * @param head the first cluster of the file, or all of a shorter file; at least the fixed part must be there
     * @param checking the image is opened to be checked: dirty and corrupt images, a missing refcount
     *     table, tables that lie behind the end of the file and any snapshot table pass
     * @throws BlockException CORRUPT or UNSUPPORTED, naming the field
     */
    public static Qcow2Header parse(MemorySegment head, long fileBytes, boolean checking) throws BlockException {
        if (head.byteSize() < V2_BYTES || (int) Bits.u32(head, 0) != MAGIC) {
            throw corrupt("Image is not in qcow2 format");
        }
        long version = Bits.u32(head, 4);
        if (version != 2 && version != 3) {
            throw new BlockException(Kind.UNSUPPORTED, "Unsupported qcow2 version " + version);
        }
        long clusterBits = Bits.u32(head, 20);
        if (clusterBits < ClusterGeometry.MIN_CLUSTER_BITS || clusterBits > ClusterGeometry.MAX_CLUSTER_BITS) {
            throw corrupt("Unsupported cluster size: 2^" + (int) clusterBits);
        }
        int clusterBytes = 1 << (int) clusterBits;
        boolean v3 = version == 3;
        long headerLength = v3 ? needed(head, V3_BYTES, "qcow2 header too short", 100) : V2_BYTES;
        if (headerLength > clusterBytes) {
            throw corrupt("qcow2 header exceeds cluster size");
        }
        if (headerLength < (v3 ? V3_BYTES : V2_BYTES)) {
            throw corrupt("qcow2 header too short");
        }
        if ((headerLength & 7) != 0) {
            throw corrupt("qcow2 header length " + headerLength + " is not a multiple of 8");
        }
        if (headerLength > head.byteSize()) {
            throw corrupt("qcow2 header length " + headerLength + " reaches behind the end of the file");
        }
        long backingOffset = Bits.u64(head, 8);
        long backingLength = Bits.u32(head, 16);
        if (backingOffset < 0 || backingOffset > clusterBytes) {
            throw corrupt("Invalid backing file offset");
        }
        long extensionsEnd = backingOffset != 0 ? backingOffset : clusterBytes;
        List<HeaderExtension> extensions =
                parseExtensions(head, headerLength, Math.min(extensionsEnd, head.byteSize()));
        long incompatible = v3 ? Bits.u64(head, 72) : 0;
        int compressionType = headerLength > V3_BYTES ? head.get(ValueLayout.JAVA_BYTE, 104) & 0xff : 0;
        SupportedFeatures.require(incompatible, extensions, compressionType);
        if ((incompatible & Feature.EXTENDED_L2) != 0 && clusterBits < ClusterGeometry.MIN_EXTENDED_CLUSTER_BITS) {
            throw corrupt("Unsupported subcluster size: " + (clusterBytes >> 5));
        }
        long refcountOrder = v3 ? Bits.u32(head, 96) : 4;
        if (refcountOrder > 6) {
            throw corrupt("Reference count entry width too large; may not exceed 64 bits");
        }
        Qcow2Header header = new Qcow2Header(
                (int) version,
                backingName(head, backingOffset, backingLength, clusterBytes),
                (int) clusterBits,
                Bits.u64(head, 24),
                (int) Bits.u32(head, 32),
                Bits.u32(head, 36),
                Bits.u64(head, 40),
                Bits.u64(head, 48),
                Bits.u32(head, 56),
                Bits.u32(head, 60),
                Bits.u64(head, 64),
                incompatible,
                v3 ? Bits.u64(head, 80) : 0,
                v3 ? Bits.u64(head, 88) : 0,
                (int) refcountOrder,
                (int) headerLength,
                compressionType,
                extensions);
        header.validateTables(fileBytes, checking);
        return header;
    }

    private static long needed(MemorySegment head, int bytes, String message, int offset) throws BlockException {
        if (head.byteSize() < bytes) {
            throw corrupt(message);
        }
        return Bits.u32(head, offset);
    }

    private static @Nullable String backingName(MemorySegment head, long offset, long length, int clusterBytes)
            throws BlockException {
        if (offset == 0) {
            return null;
        }
        if (length > Math.min(MAX_BACKING_NAME_BYTES, clusterBytes - offset)) {
            throw corrupt("Backing file name too long");
        }
        if (offset + length > head.byteSize()) {
            throw corrupt("Could not read backing file name");
        }
        byte[] name = head.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
        int end = 0;
        while (end < name.length && name[end] != 0) {
            end++;
        }
        return end == 0 ? null : new String(name, 0, end, StandardCharsets.UTF_8);
    }

    private static List<HeaderExtension> parseExtensions(MemorySegment head, long from, long end)
            throws BlockException {
        List<HeaderExtension> extensions = new ArrayList<>();
        long at = from;
        while (at < end && at + 8 <= head.byteSize()) {
            int type = (int) Bits.u32(head, at);
            long length = Bits.u32(head, at + 4);
            if (type == HeaderExtension.END) {
                break;
            }
            if (length > end - at - 8) {
                throw corrupt("Header extension too large");
            }
            if (type == HeaderExtension.BACKING_FORMAT && length >= 16) {
                throw corrupt("ERROR: ext_backing_format: len=" + length + " too large (>=16)");
            }
            extensions.add(
                    new HeaderExtension(type, head.asSlice(at + 8, length).toArray(ValueLayout.JAVA_BYTE)));
            at += 8 + ((length + 7) & ~7L);
        }
        return extensions;
    }

    private void validateTables(long fileBytes, boolean checking) throws BlockException {
        requireEncryption(fileBytes);
        if (refcountTableClusters == 0 && !checking) {
            throw corrupt("Image does not contain a reference count table");
        }
        ClusterGeometry geometry = geometry();
        long tableBytes = Math.multiplyExact(refcountTableClusters, (long) geometry.clusterBytes());
        // a check goes on where a table is cut off, and looks at the snapshot table itself
        long end = checking ? Long.MAX_VALUE : fileBytes;
        // nor does it need counts: they can be made anew
        long countsAt = checking && refcountTableOffset == 0 ? geometry.clusterBytes() : refcountTableOffset;
        requireTable("Reference count table", countsAt, tableBytes, MAX_REFCOUNT_TABLE_BYTES, end);
        if (!checking) {
            requireTable("Snapshot table", snapshotTableOffset, snapshotCount, SnapshotTable.MAX_SNAPSHOTS, end);
        }
        requireTable("Active L1 table", l1TableOffset, l1Entries * 8, MAX_L1_BYTES, end);
        if (sizeBytes < 0) {
            throw corrupt("Image is too big");
        }
        if (geometry.l1EntriesFor(sizeBytes) > Integer.MAX_VALUE) {
            throw corrupt("Image is too big");
        }
        if (geometry.l1EntriesFor(sizeBytes) > l1Entries) {
            throw corrupt("L1 table is too small");
        }
    }

    private void requireEncryption(long fileBytes) throws BlockException {
        if (encryptionMethod != 0 && encryptionMethod != ENCRYPTION_AES && encryptionMethod != ENCRYPTION_LUKS) {
            throw new BlockException(
                    Kind.UNSUPPORTED, "Unsupported encryption method " + Integer.toUnsignedString(encryptionMethod));
        }
        CryptoHeader crypto = CryptoHeader.of(extensions);
        if (crypto == null || encryptionMethod != ENCRYPTION_LUKS) {
            return;
        }
        if (!geometry().isAligned(crypto.hostOffset())) {
            throw corrupt("Encryption header offset '" + crypto.hostOffset() + "' is not a multiple of cluster size '"
                    + geometry().clusterBytes() + "'");
        }
        if (crypto.lengthBytes() < 0 || crypto.lengthBytes() > MAX_CRYPTO_BYTES) {
            throw new BlockException(Kind.TOO_LARGE, "Encryption header too large");
        }
        if (crypto.hostOffset() <= 0 || crypto.hostOffset() > fileBytes - crypto.lengthBytes()) {
            throw corrupt("Encryption header offset invalid");
        }
    }

    private void requireTable(String name, long offset, long bytes, long limitBytes, long fileBytes)
            throws BlockException {
        if (bytes > limitBytes) {
            throw new BlockException(Kind.TOO_LARGE, name + " too large");
        }
        if (bytes == 0 && offset >= 0 && geometry().isAligned(offset)) {
            return;
        }
        if (offset <= 0
                || offset > ClusterGeometry.MAX_HOST_OFFSET
                || !geometry().isAligned(offset)
                || offset > fileBytes - (name.startsWith("Snap") ? 1 : bytes)) {
            throw corrupt(name + " offset invalid");
        }
    }

    private static BlockException corrupt(String message) {
        return new BlockException(Kind.CORRUPT, message);
    }
}
