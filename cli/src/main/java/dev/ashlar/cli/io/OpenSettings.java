package dev.ashlar.cli.io;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.OptionList;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.core.OpenOptions;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** How an image is to be opened: what the options of the program and of the command {@code open} say. */
final class OpenSettings {
    /** Each write durable when it returns: what qemu-io does unless told otherwise. */
    private CacheMode cache = new CacheMode(false, false, true);

    private @Nullable String format;
    private boolean readOnly;
    private boolean unmap = true;
    private boolean forceShare;
    private boolean misaligned;
    private boolean overlay;
    private boolean copyOnRead;
    private final Map<String, String> driverOptions = new HashMap<>();

    /** Takes in one option; ends the program with a message where it is wrong or not supported. */
    void take(Console console, int option, OptionScanner scanner) {
        switch (option) {
            case 'f' -> format = scanner.argument();
            case 'r' -> readOnly = true;
            case 'n' -> cache = new CacheMode(true, cache.noFlush(), false);
            case 't' -> cache = cache(console, scanner.argument());
            case 'd' -> unmap = unmap(console, scanner.argument());
            case 'i' -> checkEngine(console, scanner.argument());
            case 'm' -> misaligned = true;
            case 'U' -> forceShare = true;
            case 's' -> overlay = true;
            case 'C' -> copyOnRead = true;
            default -> {
                // -k: I/O by the kernel, which is used anyway.
            }
        }
    }

    /** Takes options of drivers, {@code driver} among them. */
    void driverOptions(OptionList list) {
        for (OptionList.Entry entry : list.entries()) {
            driverOptions.put(entry.name(), entry.value());
        }
    }

    void readOnly(boolean value) {
        readOnly = value;
    }

    /** Whether {@code -f} was given. */
    boolean hasFormat() {
        return format != null;
    }

    /** Whether writes go to an overlay that goes away at the end. */
    boolean wantsOverlay() {
        return overlay;
    }

    boolean wantsCopyOnRead() {
        return copyOnRead;
    }

    boolean isReadOnly() {
        return readOnly;
    }

    boolean isForceShare() {
        return forceShare;
    }

    CacheMode cache() {
        return cache;
    }

    void cache(CacheMode mode) {
        cache = mode;
    }

    /** The value of a driver's option, or null. */
    @Nullable
    String driverOption(String name) {
        return driverOptions.get(name);
    }

    boolean misaligned() {
        return misaligned;
    }

    boolean writethrough() {
        return cache.writethrough();
    }

    /** What was said, for reading or for writing. */
    OpenOptions toOptions(boolean forReading) {
        OpenOptions options = forReading ? OpenOptions.readOnly() : OpenOptions.readWrite();
        if (format != null) {
            options = options.format(format);
        }
        return options.direct(cache.direct())
                .noFlush(cache.noFlush())
                .forceShare(forceShare)
                .unmap(unmap)
                .driverOptions(driverOptions);
    }

    static CacheMode cache(Console console, String name) {
        CacheMode mode = CacheMode.of(name);
        if (mode == null) {
            throw IoProgram.fail(console, "Invalid cache option: " + name);
        }
        return mode;
    }

    private static boolean unmap(Console console, String mode) {
        return switch (mode) {
            case "off", "ignore" -> false;
            case "on", "unmap" -> true;
            default -> throw IoProgram.fail(console, "Invalid discard option: " + mode);
        };
    }

    private static void checkEngine(Console console, String name) {
        switch (name) {
            case "native", "io_uring", "threads" -> {
                // Who waits for the disk changes no result: the ring does where the kernel has one, else threads do.
            }
            default -> throw IoProgram.fail(console, "Invalid aio option: " + name);
        }
    }
}
