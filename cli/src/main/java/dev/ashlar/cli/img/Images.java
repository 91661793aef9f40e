package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import org.jspecify.annotations.Nullable;

/** Opening images the way all subcommands do. */
final class Images {
    private Images() {}

    /** Options for reading or writing with a format, or none to find it out, and a cache mode. */
    static OpenOptions options(boolean writable, @Nullable String format, CacheMode cache, boolean forceShare) {
        OpenOptions options = writable ? OpenOptions.readWrite() : OpenOptions.readOnly();
        if (format != null) {
            options = options.format(format);
        }
        return options.direct(cache.direct()).noFlush(cache.noFlush()).forceShare(forceShare);
    }

    /** Opens an image; a failure names it. */
    static BlockBackend open(Console console, BlockGraph graph, String fileName, OpenOptions options)
            throws BlockException {
        try {
            BlockBackend image = graph.open(fileName, options);
            if (image.isFormatGuessed() && !image.isReadOnly()) {
                console.warnOfGuessedFormat(fileName);
            }
            return image;
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "Could not open '" + fileName + "': " + e.getMessage(), e);
        }
    }

    /** The path of a file that is named inside an image: relative names start at the image's folder. */
    static String resolve(String imageFileName, String name) {
        if (name.startsWith("/") || hasProtocol(name)) {
            return name;
        }
        return imageFileName.substring(0, imageFileName.lastIndexOf('/') + 1) + name;
    }

    /** How QEMU shows a file name: without {@code file:}, and so that no colon in it is taken for the end of a protocol. */
    static String shown(String fileName) {
        if (!fileName.startsWith("file:")) {
            return fileName;
        }
        String path = fileName.substring("file:".length());
        return hasProtocol(path) ? "./" + path : path;
    }

    private static boolean hasProtocol(String name) {
        int colon = name.indexOf(':');
        int slash = name.indexOf('/');
        return colon >= 0 && (slash < 0 || colon < slash);
    }
}
