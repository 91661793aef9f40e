package dev.ashlar.drivers.qcow2.format;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Refuses images that need what is not here, by the name that the image itself gives to the feature. */
final class SupportedFeatures {
    private static final long SUPPORTED =
            Feature.DIRTY | Feature.CORRUPT | Feature.DATA_FILE | Feature.COMPRESSION_TYPE | Feature.EXTENDED_L2;
    private static final int NAME_ENTRY_BYTES = 48;

    private SupportedFeatures() {}

    static void require(long incompatible, List<HeaderExtension> extensions, int compressionType)
            throws BlockException {
        long missing = incompatible & ~SUPPORTED;
        if (missing != 0) {
            throw new BlockException(Kind.UNSUPPORTED, "Unsupported qcow2 feature(s): " + names(missing, extensions));
        }
        if (compressionType > 1) {
            throw new BlockException(
                    Kind.UNSUPPORTED, "Failed to load image: unknown compression type " + compressionType);
        }
        if ((compressionType != 0) != ((incompatible & Feature.COMPRESSION_TYPE) != 0)) {
            throw new BlockException(
                    Kind.CORRUPT,
                    compressionType != 0
                            ? "Compression type incompatible feature bit must be set"
                            : "Compression type incompatible feature bit must not be set");
        }
    }

    private static String names(long missing, List<HeaderExtension> extensions) {
        StringBuilder names = new StringBuilder();
        long unnamed = missing;
        for (HeaderExtension extension : extensions) {
            if (extension.type() == HeaderExtension.FEATURE_NAMES) {
                unnamed = appendNamed(names, extension.data(), unnamed);
            }
        }
        if (unnamed != 0) {
            separator(names).append("Unknown incompatible feature: ").append(Long.toHexString(unnamed));
        }
        return names.toString();
    }

    private static long appendNamed(StringBuilder names, byte[] table, long missing) {
        long left = missing;
        // the last entry may be cut short
        for (int at = 0; at + 2 <= table.length; at += NAME_ENTRY_BYTES) {
            int bit = table[at + 1] & 0xff;
            if (table[at] == 0 && bit < 64 && (left & (1L << bit)) != 0) {
                int last = Math.min(at + NAME_ENTRY_BYTES, table.length);
                int end = at + 2;
                while (end < last && table[end] != 0) {
                    end++;
                }
                String name = new String(table, at + 2, end - at - 2, StandardCharsets.UTF_8);
                separator(names).append(printable(name));
                left &= ~(1L << bit);
            }
        }
        return left;
    }

    /** Control characters would reach a terminal; they are shown as escapes. */
    private static String printable(String text) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < ' ' || (c >= 0x7f && c < 0xa0)) {
                out.append("\\x").append(Character.forDigit(c >> 4, 16)).append(Character.forDigit(c & 15, 16));
            } else {
                out.append(c);
            }
        }
        return out.toString();
    }

    private static StringBuilder separator(StringBuilder names) {
        return names.isEmpty() ? names : names.append(", ");
    }
}
