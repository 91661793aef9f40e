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
 * Encodes the header of a new image with its extensions: backing format, data file, names of the feature bits, then the backing file's name.
 */
public final class HeaderWriter {
    private static final int FEATURE_NAME_BYTES = 46;

    private HeaderWriter() {}

    /**
     * @param compressionType 0 zlib; another one needs version 3
     * @param crypto where the LUKS header lies; null for an image that is not encrypted
     * @return the front of the first cluster, at least 512 bytes
     */
    public static byte[] encode(
            int version,
            long sizeBytes,
            ClusterGeometry geometry,
            boolean lazyRefcounts,
            int compressionType,
            @Nullable CryptoHeader crypto,
            @Nullable String backingFile,
            @Nullable String backingFormat,
            @Nullable String dataFile,
            boolean dataFileRaw,
            long l1Entries,
            long l1TableOffset,
            long refcountTableOffset,
            long refcountTableClusters)
            throws BlockException {
        byte[] name = backingFile == null ? new byte[0] : backingFile.getBytes(StandardCharsets.UTF_8);
        if (name.length > Qcow2Header.MAX_BACKING_NAME_BYTES) {
            throw new BlockException(Kind.INVALID, "Backing file name too long");
        }
        int headerBytes = version >= 3 ? Qcow2Header.V3_NEW_BYTES : Qcow2Header.V2_BYTES;
        List<HeaderExtension> extensions = extensions(version, backingFormat, dataFile, crypto);
        int end = headerBytes + encodedBytes(extensions);
        if (end + name.length > geometry.clusterBytes()) {
            // names of features are a courtesy: where there is no room the image goes without
            extensions.removeIf(extension -> extension.type() == HeaderExtension.FEATURE_NAMES);
            end = headerBytes + encodedBytes(extensions);
        }
        if (end + name.length > geometry.clusterBytes()) {
            throw new BlockException(
                    Kind.INVALID, "Names of backing file and data file do not fit into a cluster of this size");
        }
        byte[] bytes = new byte[Math.max(Qcow2Header.SECTOR_BYTES, end + name.length)];
        MemorySegment header = MemorySegment.ofArray(bytes);
        Bits.putU32(header, 0, Qcow2Header.MAGIC);
        Bits.putU32(header, 4, version);
        Bits.putU64(header, 8, name.length == 0 ? 0 : end);
        Bits.putU32(header, 16, name.length);
        Bits.putU32(header, 20, geometry.clusterBits());
        Bits.putU64(header, 24, sizeBytes);
        Bits.putU32(header, 32, crypto == null ? 0 : Qcow2Header.ENCRYPTION_LUKS);
        Bits.putU32(header, 36, l1Entries);
        Bits.putU64(header, 40, l1TableOffset);
        Bits.putU64(header, 48, refcountTableOffset);
        Bits.putU32(header, 56, refcountTableClusters);
        if (version >= 3) {
            long incompatible = geometry.extendedL2() ? Feature.EXTENDED_L2 : 0;
            if (dataFile != null) {
                incompatible |= Feature.DATA_FILE;
            }
            if (compressionType != 0) {
                incompatible |= Feature.COMPRESSION_TYPE;
                header.set(ValueLayout.JAVA_BYTE, 104, (byte) compressionType);
            }
            Bits.putU64(header, 72, incompatible);
            Bits.putU64(header, 80, lazyRefcounts ? Feature.LAZY_REFCOUNTS : 0);
            Bits.putU64(header, 88, dataFileRaw ? Feature.DATA_FILE_RAW : 0);
            Bits.putU32(header, 96, geometry.refcountOrder());
            Bits.putU32(header, 100, headerBytes);
        }
        encodeExtensions(extensions, header, headerBytes);
        System.arraycopy(name, 0, bytes, end, name.length);
        return bytes;
    }

    private static List<HeaderExtension> extensions(
            int version, @Nullable String backingFormat, @Nullable String dataFile, @Nullable CryptoHeader crypto) {
        List<HeaderExtension> extensions = new ArrayList<>();
        if (backingFormat != null) {
            extensions.add(new HeaderExtension(
                    HeaderExtension.BACKING_FORMAT, backingFormat.getBytes(StandardCharsets.UTF_8)));
        }
        if (dataFile != null) {
            extensions.add(new HeaderExtension(HeaderExtension.DATA_FILE, dataFile.getBytes(StandardCharsets.UTF_8)));
        }
        if (crypto != null) {
            extensions.add(crypto.toExtension());
        }
        if (version >= 3) {
            extensions.add(new HeaderExtension(HeaderExtension.FEATURE_NAMES, featureNames()));
        }
        return extensions;
    }

    /** All extensions and the end mark. */
    static int encodedBytes(List<HeaderExtension> extensions) {
        int bytes = 8;
        for (HeaderExtension extension : extensions) {
            bytes += extension.encodedBytes();
        }
        return bytes;
    }

    static void encodeExtensions(List<HeaderExtension> extensions, MemorySegment header, int from) {
        long at = from;
        for (HeaderExtension extension : extensions) {
            Bits.putU32(header, at, extension.type());
            Bits.putU32(header, at + 4, extension.data().length);
            MemorySegment.copy(MemorySegment.ofArray(extension.data()), 0, header, at + 8, extension.data().length);
            at += extension.encodedBytes();
        }
    }

    static byte[] featureNames() {
        Object[][] names = {
            {0, 0, "dirty bit"},
            {0, 1, "corrupt bit"},
            {0, 2, "external data file"},
            {0, 3, "compression type"},
            {0, 4, "extended L2 entries"},
            {1, 0, "lazy refcounts"},
            {2, 0, "bitmaps"},
            {2, 1, "raw external data"},
        };
        byte[] table = new byte[names.length * (FEATURE_NAME_BYTES + 2)];
        for (int i = 0; i < names.length; i++) {
            int at = i * (FEATURE_NAME_BYTES + 2);
            table[at] = ((Integer) names[i][0]).byteValue();
            table[at + 1] = ((Integer) names[i][1]).byteValue();
            byte[] text = ((String) names[i][2]).getBytes(StandardCharsets.US_ASCII);
            System.arraycopy(text, 0, table, at + 2, text.length);
        }
        return table;
    }
}
