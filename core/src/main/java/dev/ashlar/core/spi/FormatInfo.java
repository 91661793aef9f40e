package dev.ashlar.core.spi;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Facts about an open image.
 *
 * @param clusterSizeBytes allocation unit, 0 where the format has none
 * @param dirty metadata was not closed cleanly
 * @param corrupt the image is marked corrupt
 * @param encrypted guest data is encrypted
 * @param specific facts of the format in the order and with the names in which they are shown; values are {@link String}, {@link
 *     Boolean}, {@link Long}, a list of values or another such map
 */
public record FormatInfo(
        long clusterSizeBytes, boolean dirty, boolean corrupt, boolean encrypted, Map<String, Object> specific) {
    public FormatInfo {
        specific = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(specific));
    }
}
