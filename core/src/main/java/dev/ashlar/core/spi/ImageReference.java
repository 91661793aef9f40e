package dev.ashlar.core.spi;

import java.util.Objects;

/**
 * A file named inside an image.
 *
 * @param fileName as it stands in the image: a path. A relative one is relative to the image's own folder for a backing
 *     file, to the working folder for a data file, as QEMU takes it
 * @param format the driver's name, or null where the image does not say
 */
public record ImageReference(
        String fileName, @org.jspecify.annotations.Nullable String format) {
    public ImageReference {
        Objects.requireNonNull(fileName, "fileName");
    }
}
