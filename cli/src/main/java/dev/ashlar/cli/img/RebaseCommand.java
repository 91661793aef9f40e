package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.cli.output.ProgressLine;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.spi.ImageReference;
import org.jspecify.annotations.Nullable;

/** {@code rebase}: gives an image another backing file; what differs is copied and durable before the image names it. */
final class RebaseCommand {
    private final Console console;
    private @Nullable String format;
    private @Nullable String newBase;
    private @Nullable String newFormat;
    private String cacheName = "writeback";
    private String sourceCache = "writeback";
    private boolean unsafe;
    private boolean progress;
    private boolean quiet;
    private boolean forceShare;

    RebaseCommand(Console console) {
        this.console = console;
    }

    int run(String[] words) throws BlockException {
        ImgOptions options = ImgOptions.ofImages(console, words, ":hf:F:b:upt:T:qU");
        for (int option = options.next(); option != OptionScanner.END; option = options.next()) {
            switch (option) {
                case 'f' -> format = options.argument();
                case 'F' -> newFormat = options.argument();
                case 'b' -> newBase = options.argument();
                case 'u' -> unsafe = true;
                case 'p' -> progress = true;
                case 't' -> cacheName = options.argument();
                case 'T' -> sourceCache = options.argument();
                case 'q' -> quiet = true;
                default -> forceShare = true;
            }
        }
        String fileName = options.soleFileName();
        if (!unsafe && newBase == null) {
            throw console.usageError("Must specify backing file (-b) or use unsafe mode (-u)");
        }
        ProgressLine line = new ProgressLine(console.out(), progress && !quiet, 2);
        line.at(0);
        CacheMode cache = options.cacheMode(cacheName, "Invalid cache option: ", 1);
        CacheMode source = options.cacheMode(sourceCache, "Invalid source cache option: ", 1);
        OpenOptions how = Images.options(true, format, cache, false).backing(!unsafe);
        try (BlockGraph graph = console.objects().newGraph();
                BlockBackend image = options.open(graph, fileName, how)) {
            if (newFormat != null && graph.driver(newFormat).isEmpty()) {
                throw fail("Invalid format name: '" + newFormat + "'");
            }
            if (!unsafe) {
                copyDifferences(graph, image, source, line);
                image.flush();
            }
            change(image);
            line.at(100);
        } finally {
            line.end();
        }
        return 0;
    }

    private void copyDifferences(BlockGraph graph, BlockBackend image, CacheMode source, ProgressLine line)
            throws BlockException {
        var below = BackingChain.backing(image.root());
        try (BlockBackend oldBase = below.isEmpty() ? null : graph.attach(null, below.get(), false);
                BlockBackend fresh = openNewBase(graph, image, source)) {
            new BackingDifference(console, image, oldBase, fresh).copy(line);
        }
    }

    private @Nullable BlockBackend openNewBase(BlockGraph graph, BlockBackend image, CacheMode source)
            throws BlockException {
        String name = newBase;
        if (name == null || name.isEmpty()) {
            return null;
        }
        try {
            OpenOptions how = Images.options(false, newFormat, source, forceShare);
            return graph.open(
                    Images.resolve(image.fileName(), name), console.trust().apply(how, name));
        } catch (BlockException e) {
            throw new BlockException(e.kind(), "Could not open new backing file '" + name + "': " + e.getMessage(), e);
        }
    }

    private void change(BlockBackend image) throws BlockException {
        String name = newBase;
        if (name != null && !name.isEmpty() && newFormat == null) {
            throw fail("Could not change the backing file to '" + name + "': backing format must be specified");
        }
        try {
            image.changeBacking(name == null || name.isEmpty() ? null : new ImageReference(name, newFormat));
        } catch (BlockException e) {
            String shown = name == null ? "(null)" : name;
            throw fail("Could not change the backing file to '" + shown + "': "
                    + (e.kind() == Kind.NO_SPACE ? "No space left in the file header" : e.reason()));
        }
    }

    private ProgramExit fail(String message) {
        console.error(message);
        return new ProgramExit(1);
    }
}
