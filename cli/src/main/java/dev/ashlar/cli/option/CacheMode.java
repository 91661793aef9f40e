package dev.ashlar.cli.option;

import org.jspecify.annotations.Nullable;

/**
 * How an image is cached.
 *
 * @param direct past the host's page cache (O_DIRECT)
 * @param noFlush flushes are ignored
 * @param writethrough each write is durable when it returns
 */
public record CacheMode(boolean direct, boolean noFlush, boolean writethrough) {
    public static final CacheMode WRITEBACK = new CacheMode(false, false, false);

    /** The mode of that name; null for an unknown name. */
    public static @Nullable CacheMode of(String name) {
        return switch (name) {
            case "none", "off" -> new CacheMode(true, false, false);
            case "directsync" -> new CacheMode(true, false, true);
            case "writeback" -> WRITEBACK;
            case "unsafe" -> new CacheMode(false, true, false);
            case "writethrough" -> new CacheMode(false, false, true);
            default -> null;
        };
    }
}
