package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.OptionList;
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
                console.warnOfGuessedFormat(NodeNames.shownFile(image.root()));
            }
            return image;
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "Could not open '" + fileName + "': " + e.getMessage(), e);
        }
    }

    /** Opens what an operand of {@code --image-opts} describes; a failure cites it. */
    static BlockBackend openDescribed(Console console, BlockGraph graph, String text, OpenOptions how)
            throws BlockException {
        if (how.format() != null) {
            console.error("--image-opts and --format are mutually exclusive");
            throw new ProgramExit(1);
        }
        OptionList list = OptionList.noisily(console, text, "file");
        if ("".equals(list.value("backing"))) {
            console.warn("Use of \"backing\": \"\" is deprecated; use \"backing\": null instead");
        }
        if (how.isForceShare()) {
            String given = list.value("force-share");
            if (given != null && !given.equals("on")) {
                console.error("--force-share/-U conflicts with image options");
                throw new ProgramExit(1);
            }
        }
        try {
            return graph.open(how.driverOptions(list.toMap()));
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "Could not open '" + text + "': " + e.getMessage(), e.reason(), e);
        }
    }

    /** The path of a file that is named inside an image: relative names start at the image's folder. */
    static String resolve(String imageFileName, String name) {
        if (name.startsWith("/") || hasProtocol(name)) {
            return name;
        }
        return imageFileName.substring(0, imageFileName.lastIndexOf('/') + 1) + name;
    }

    private static boolean hasProtocol(String name) {
        int colon = name.indexOf(':');
        int slash = name.indexOf('/');
        return colon >= 0 && (slash < 0 || colon < slash);
    }
}
