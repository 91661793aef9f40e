package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.Permission;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.nativeio.ErrnoException;
import dev.ashlar.nativeio.LinuxFile;
import dev.ashlar.nativeio.OpenFlag;
import java.util.EnumSet;
import java.util.Map;

/** Creates a regular file, or empties one that exists, and gives it a size. */
final class RegularFileCreator {
    private static final long SECTOR_BYTES = 512;

    private RegularFileCreator() {}

    /**
     * Creates the file.
     *
     * @param options {@code filename}, {@code size} and {@code preallocation}
     * @throws BlockException LOCKED when another process uses the file, which is then untouched
     */
    static void create(Map<String, String> options) throws BlockException {
        String fileName = options.getOrDefault("filename", "");
        long sizeBytes = sizeBytes(options);
        Preallocation preallocation = preallocation(options.getOrDefault("preallocation", "off"));
        try (LinuxFile file = open(fileName)) {
            ProcessLocks locks = new ProcessLocks(file);
            // Others may read and write an image that is being created, but must not resize it meanwhile.
            locks.update(
                    EnumSet.of(Permission.WRITE, Permission.RESIZE),
                    EnumSet.complementOf(EnumSet.of(Permission.RESIZE)));
            HostSpace space = new RegularFileSpace(file);
            space.truncate(0, Preallocation.OFF);
            space.truncate(sizeBytes, preallocation);
            locks.release();
        }
    }

    private static LinuxFile open(String fileName) throws BlockException {
        try {
            return LinuxFile.open(fileName, OpenFlag.READ_WRITE, OpenFlag.CREATE);
        } catch (ErrnoException e) {
            throw Failures.of("Could not create '" + fileName + "'", e);
        }
    }

    /** The size asked for, in whole sectors. */
    static long sizeBytes(Map<String, String> options) throws BlockException {
        String text = options.getOrDefault("size", "0");
        try {
            long size = Long.parseLong(text);
            if (size >= 0 && size <= Long.MAX_VALUE - SECTOR_BYTES) {
                return (size + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES;
            }
        } catch (NumberFormatException e) {
            // Told below.
        }
        throw new BlockException(Kind.INVALID, "Parameter 'size' expects a size");
    }

    private static Preallocation preallocation(String text) throws BlockException {
        return switch (text) {
            case "off" -> Preallocation.OFF;
            case "metadata" -> Preallocation.METADATA;
            case "falloc" -> Preallocation.FALLOC;
            case "full" -> Preallocation.FULL;
            default ->
                throw new BlockException(
                        Kind.INVALID, "Parameter 'preallocation' does not accept value '" + text + "'");
        };
    }
}
