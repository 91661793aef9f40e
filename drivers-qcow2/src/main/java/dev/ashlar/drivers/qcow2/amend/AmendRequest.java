package dev.ashlar.drivers.qcow2.amend;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.OptionDescriptor;
import dev.ashlar.core.spi.OptionDescriptor.Type;
import dev.ashlar.drivers.qcow2.format.Feature;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What an image is to become, checked against what it is.
 *
 * @param version 2 or 3
 * @param sizeBytes virtual size, or -1 for no change
 * @param dataFile name of the file with the guest data; empty for none, or none that the image names
 * @param dataFileRaw that file alone reads as the disk
 */
public record AmendRequest(
        int version, int refcountOrder, boolean lazyRefcounts, long sizeBytes, String dataFile, boolean dataFileRaw) {
    /** The options that can be amended. */
    public static final List<OptionDescriptor> DESCRIPTORS = List.of(
            new OptionDescriptor("backing_file", Type.STRING, "File name of a base image", null),
            new OptionDescriptor("backing_fmt", Type.STRING, "Image format of the base image", null),
            new OptionDescriptor("compat", Type.STRING, "Compatibility level (v2 [0.10] or v3 [1.1])", null),
            new OptionDescriptor("data_file", Type.STRING, "File name of an external data file", null),
            new OptionDescriptor(
                    "data_file_raw", Type.BOOLEAN, "The external data file must stay valid as a raw image", null),
            new OptionDescriptor("lazy_refcounts", Type.BOOLEAN, "Postpone refcount updates", null),
            new OptionDescriptor("refcount_bits", Type.NUMBER, "Width of a reference count entry in bits", null),
            new OptionDescriptor("size", Type.SIZE, "Virtual disk size", null));

    /** @throws BlockException for what this image can't become */
    public static AmendRequest of(Map<String, String> options, Qcow2Header header) throws BlockException {
        int version = version(options.get("compat"), header.version());
        requireBacking(options, header);
        requireDataFile(options, header);
        String bits = options.get("refcount_bits");
        int order = bits == null ? header.refcountOrder() : refcountOrder(bits);
        String lazyText = options.get("lazy_refcounts");
        boolean lazyNow = (header.compatibleFeatures() & Feature.LAZY_REFCOUNTS) != 0;
        boolean lazy = lazyText == null ? lazyNow && version >= 3 : lazyText.equals("on");
        if (version < 3 && bits != null && order != 4) {
            throw invalid("Refcount widths other than 16 bits require compatibility level 1.1 or above"
                    + " (use compat=1.1 or greater)");
        }
        if (version < 3 && lazy) {
            throw invalid("Lazy refcounts only supported with compatibility level 1.1 and above"
                    + " (use compat=1.1 or greater)");
        }
        if (version < 3 && order != 4) {
            throw new BlockException(Kind.UNSUPPORTED, "compat=0.10 requires refcount_bits=16");
        }
        String size = options.get("size");
        String namedNow = header.dataFileName() == null ? "" : header.dataFileName();
        String rawText = options.get("data_file_raw");
        return new AmendRequest(
                version,
                order,
                lazy,
                size == null ? -1 : Long.parseLong(size),
                options.getOrDefault("data_file", namedNow),
                rawText == null ? header.dataFileIsRaw() : rawText.equals("on"));
    }

    private static int version(@Nullable String compat, int now) throws BlockException {
        if (compat == null) {
            return now;
        }
        return switch (compat) {
            case "0.10", "v2" -> 2;
            case "1.1", "v3" -> 3;
            default -> throw invalid("Unknown compatibility level " + compat);
        };
    }

    private static int refcountOrder(String text) throws BlockException {
        long bits;
        try {
            bits = Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw new BlockException(Kind.INVALID, "Parameter 'refcount_bits' expects a number", e);
        }
        if (Long.bitCount(bits) != 1 || bits < 1 || bits > 64) {
            throw invalid("Refcount width must be a power of two and may not exceed 64 bits");
        }
        return Long.numberOfTrailingZeros(bits);
    }

    private static void requireBacking(Map<String, String> options, Qcow2Header header) throws BlockException {
        String file = options.get("backing_file");
        String format = options.get("backing_fmt");
        boolean asked = file != null || format != null;
        if (asked && !(Objects.equals(file, header.backingFile()) && Objects.equals(format, header.backingFormat()))) {
            throw invalid("Cannot amend the backing file");
        }
    }

    private static void requireDataFile(Map<String, String> options, Qcow2Header header) throws BlockException {
        if (options.containsKey("data_file") && !header.has(Feature.DATA_FILE)) {
            throw invalid("data-file can only be set for images that use an external data file");
        }
        if ("on".equals(options.get("data_file_raw")) && !header.dataFileIsRaw()) {
            throw invalid("data-file-raw cannot be set on existing images");
        }
    }

    private static BlockException invalid(String message) {
        return new BlockException(Kind.INVALID, message);
    }
}
