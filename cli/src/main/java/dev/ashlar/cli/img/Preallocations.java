package dev.ashlar.cli.img;

import dev.ashlar.core.spi.Preallocation;
import org.jspecify.annotations.Nullable;

/** The names of preallocation modes. */
public final class Preallocations {
    private Preallocations() {}

    /** The mode of that name; null for an unknown name. */
    public static @Nullable Preallocation of(String name) {
        return switch (name) {
            case "off" -> Preallocation.OFF;
            case "metadata" -> Preallocation.METADATA;
            case "falloc" -> Preallocation.FALLOC;
            case "full" -> Preallocation.FULL;
            default -> null;
        };
    }
}
