package dev.ashlar.core.spi;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What core hands to {@link SizeMeasurable#measure}.
 *
 * @param options as {@link CreateRequest#options}; {@code size} counts only without a source
 * @param secrets where the options name a key
 * @param source the content of the new image, or null for an empty one
 */
public record MeasureRequest(
        Map<String, String> options,
        SecretSource secrets,
        @Nullable MeasuredSource source) {
    public MeasureRequest {
        options = Map.copyOf(options);
    }
}
