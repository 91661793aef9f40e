package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.OnOff;
import dev.ashlar.core.spi.OptionDescriptor;
import dev.ashlar.core.spi.OptionDescriptor.Type;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.drivers.qcow2.crypt.NewEncryption;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How a new image is to be laid out.
 *
 * @param version 2 or 3
 * @param sizeBytes virtual size, a multiple of 512
 * @param dataFile name of the file for the guest data, or null for the image itself
 * @param dataFileRaw the data file alone is to read as the disk
 * @param preallocation of clusters in the image itself
 * @param dataPreallocation of the data file
 * @param allocatesAll every cluster of the data file has an entry from the start
 */
record Qcow2CreateOptions(
        int version,
        long sizeBytes,
        ClusterGeometry geometry,
        boolean lazyRefcounts,
        int compressionType,
        Preallocation preallocation,
        @Nullable NewEncryption encryption,
        @Nullable String backingFile,
        @Nullable String backingFormat,
        @Nullable String dataFile,
        boolean dataFileRaw,
        Preallocation dataPreallocation,
        boolean allocatesAll) {

    static final List<OptionDescriptor> DESCRIPTORS = List.of(
            new OptionDescriptor(
                    "encryption",
                    Type.BOOLEAN,
                    "Encrypt the image with format 'aes'. (Deprecated in favor of encrypt.format=aes)",
                    null),
            new OptionDescriptor(
                    "encrypt.format", Type.STRING, "Encrypt the image, format choices: 'aes', 'luks'", null),
            new OptionDescriptor(
                    "encrypt.key-secret", Type.STRING, "ID of secret providing qcow AES key or LUKS passphrase", null),
            new OptionDescriptor("encrypt.cipher-alg", Type.STRING, "Name of encryption cipher algorithm", null),
            new OptionDescriptor("encrypt.cipher-mode", Type.STRING, "Name of encryption cipher mode", null),
            new OptionDescriptor("encrypt.ivgen-alg", Type.STRING, "Name of IV generator algorithm", null),
            new OptionDescriptor("encrypt.ivgen-hash-alg", Type.STRING, "Name of IV generator hash algorithm", null),
            new OptionDescriptor("encrypt.hash-alg", Type.STRING, "Name of encryption hash algorithm", null),
            new OptionDescriptor("encrypt.iter-time", Type.NUMBER, "Time to spend in PBKDF in milliseconds", null),
            new OptionDescriptor("cluster_size", Type.SIZE, "qcow2 cluster size", "65536"),
            new OptionDescriptor("extended_l2", Type.BOOLEAN, "Extended L2 tables", "off"),
            new OptionDescriptor(
                    "preallocation",
                    Type.STRING,
                    "Preallocation mode (allowed values: off, metadata, falloc, full)",
                    null),
            new OptionDescriptor(
                    "compression_type", Type.STRING, "Compression method used for image cluster compression", "zlib"),
            new OptionDescriptor("size", Type.SIZE, "Virtual disk size", null),
            new OptionDescriptor("compat", Type.STRING, "Compatibility level (v2 [0.10] or v3 [1.1])", null),
            new OptionDescriptor("backing_file", Type.STRING, "File name of a base image", null),
            new OptionDescriptor("backing_fmt", Type.STRING, "Image format of the base image", null),
            new OptionDescriptor("data_file", Type.STRING, "File name of an external data file", null),
            new OptionDescriptor(
                    "data_file_raw", Type.BOOLEAN, "The external data file must stay valid as a raw image", null),
            new OptionDescriptor("lazy_refcounts", Type.BOOLEAN, "Postpone refcount updates", "off"),
            new OptionDescriptor("refcount_bits", Type.NUMBER, "Width of a reference count entry in bits", "16"));

    static Qcow2CreateOptions parse(Map<String, String> options) throws BlockException {
        int version = version(options.getOrDefault("compat", "1.1"));
        long sizeBytes = number("size", options.getOrDefault("size", "0"));
        if (sizeBytes < 0 || sizeBytes > Long.MAX_VALUE - 511) {
            throw invalid("Image size must be less than 8 EiB");
        }
        boolean extendedL2 = OnOff.parse("extended_l2", options.getOrDefault("extended_l2", "off"));
        if (version < 3 && extendedL2) {
            throw invalid("Extended L2 entries are only supported with compatibility level 1.1 and above"
                    + " (use version=v3 or greater)");
        }
        int clusterBits =
                clusterBits(number("cluster_size", options.getOrDefault("cluster_size", "65536")), extendedL2);
        int refcountOrder = refcountOrder(number("refcount_bits", options.getOrDefault("refcount_bits", "16")));
        boolean lazy = OnOff.parse("lazy_refcounts", options.getOrDefault("lazy_refcounts", "off"));
        if (version < 3 && refcountOrder != 4) {
            throw invalid("Different refcount widths than 16 bits require compatibility level 1.1 or above"
                    + " (use version=v3 or greater)");
        }
        if (version < 3 && lazy) {
            throw invalid("Lazy refcounts only supported with compatibility level 1.1 and above"
                    + " (use version=v3 or greater)");
        }
        String dataFile = options.get("data_file");
        Preallocation preallocation = preallocation(options.getOrDefault("preallocation", "off"));
        if (preallocation != Preallocation.OFF && options.containsKey("backing_file") && !extendedL2) {
            throw invalid("Backing file and preallocation can only be used at the same time if extended_l2 is on");
        }
        int compressionType = compressionType(options.getOrDefault("compression_type", "zlib"));
        if (version < 3 && compressionType != 0) {
            throw invalid("Non-zlib compression type is only supported with compatibility level 1.1 and above"
                    + " (use version=v3 or greater)");
        }
        String backingFile = options.get("backing_file");
        String backingFormat = options.get("backing_fmt");
        if (backingFile != null && preallocation != Preallocation.OFF && !extendedL2) {
            throw invalid("Backing file and preallocation can only be used at the same time if extended_l2 is on");
        }
        if (backingFile == null && backingFormat != null) {
            throw invalid("Backing format cannot be used without backing file");
        }
        boolean raw = OnOff.parse("data_file_raw", options.getOrDefault("data_file_raw", "off"));
        requireDataFile(version, dataFile, raw, backingFile);
        return new Qcow2CreateOptions(
                version,
                (sizeBytes + 511) & -512L,
                new ClusterGeometry(clusterBits, refcountOrder, extendedL2),
                lazy,
                compressionType,
                dataFile == null ? preallocation : Preallocation.OFF,
                NewEncryption.parse(options),
                backingFile,
                backingFormat,
                dataFile,
                raw,
                preallocation == Preallocation.METADATA ? Preallocation.OFF : preallocation,
                dataFile != null && (raw || preallocation != Preallocation.OFF));
    }

    private static void requireDataFile(
            int version, @Nullable String dataFile, boolean raw, @Nullable String backingFile) throws BlockException {
        if (raw && dataFile == null) {
            throw invalid("data-file-raw requires data-file");
        }
        if (raw && backingFile != null) {
            throw invalid("Backing file and data-file-raw cannot be used at the same time");
        }
        if (dataFile != null && version < 3) {
            throw invalid("External data files are only supported with compatibility level 1.1 and above"
                    + " (use version=v3 or greater)");
        }
    }

    private static int version(String compat) throws BlockException {
        return switch (compat) {
            case "0.10", "v2" -> 2;
            case "1.1", "v3" -> 3;
            default -> throw invalid("Parameter 'version' does not accept value '" + compat + "'");
        };
    }

    static int clusterBits(long bytes, boolean extendedL2) throws BlockException {
        if (Long.bitCount(bytes) != 1
                || bytes < 1L << ClusterGeometry.MIN_CLUSTER_BITS
                || bytes > 1L << ClusterGeometry.MAX_CLUSTER_BITS) {
            throw invalid("Cluster size must be a power of two between 512 and 2048k");
        }
        if (extendedL2 && bytes < 1L << ClusterGeometry.MIN_EXTENDED_CLUSTER_BITS) {
            throw invalid("Extended L2 entries are only supported with cluster sizes of at least "
                    + (1 << ClusterGeometry.MIN_EXTENDED_CLUSTER_BITS) + " bytes");
        }
        return Long.numberOfTrailingZeros(bytes);
    }

    static int refcountOrder(long bits) throws BlockException {
        if (Long.bitCount(bits) != 1 || bits < 1 || bits > 64) {
            throw invalid("Refcount width must be a power of two and may not exceed 64 bits");
        }
        return Long.numberOfTrailingZeros(bits);
    }

    private static Preallocation preallocation(String mode) throws BlockException {
        return switch (mode) {
            case "off" -> Preallocation.OFF;
            case "metadata" -> Preallocation.METADATA;
            case "falloc" -> Preallocation.FALLOC;
            case "full" -> Preallocation.FULL;
            default -> throw invalid("Parameter 'preallocation' does not accept value '" + mode + "'");
        };
    }

    private static int compressionType(String type) throws BlockException {
        return switch (type) {
            case "zlib" -> 0;
            case "zstd" -> 1;
            default -> throw invalid("Parameter 'compression-type' does not accept value '" + type + "'");
        };
    }

    static long number(String name, String value) throws BlockException {
        try {
            return Long.parseLong(value);
        } catch (NumberFormatException e) {
            throw new BlockException(Kind.INVALID, "Parameter '" + name + "' expects a number", e);
        }
    }

    private static BlockException invalid(String message) {
        return new BlockException(Kind.INVALID, message);
    }
}
