package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.cli.output.ProgressLine;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.BlockStatus;
import dev.ashlar.core.spi.Preallocation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * {@code commit}: puts what stands above a backing file into it. All of the backing file's steps come first and are durable before the
 * image gives anything up.
 */
final class CommitCommand {
    private static final long BUFFER_BYTES = 2 << 20;

    private final Console console;
    private @Nullable String format;
    private String cacheName = "writeback";
    private @Nullable String baseName;
    private boolean drop;
    private boolean progress;
    private boolean quiet;
    private long bytesPerSecond;

    CommitCommand(Console console) {
        this.console = console;
    }

    int run(String[] words) throws BlockException {
        ImgOptions options = new ImgOptions(
                console,
                words,
                ":f:ht:b:dpqr:",
                new LongOption("help", false, 'h'),
                new LongOption("object", true, ImgOptions.OBJECT),
                new LongOption("image-opts", false, ImgOptions.IMAGE_OPTS));
        for (int option = options.next(); option != OptionScanner.END; option = options.next()) {
            switch (option) {
                case 'f' -> format = options.argument();
                case 't' -> cacheName = options.argument();
                case 'b' -> {
                    baseName = options.argument();
                    // Emptied, the image would show what stands between it and that base.
                    drop = true;
                }
                case 'd' -> drop = true;
                case 'p' -> progress = true;
                case 'r' -> bytesPerSecond = options.requiredSize("rate limit", options.argument(), Long.MAX_VALUE);
                default -> quiet = true;
            }
        }
        String fileName = options.soleFileName();
        CacheMode cache = options.cacheMode(cacheName, "Invalid cache option: ", 1);
        ProgressLine line = new ProgressLine(console.out(), progress && !quiet, 1);
        try (BlockGraph graph = console.objects().newGraph();
                BlockBackend image = options.open(
                        graph,
                        fileName,
                        Images.options(true, format, cache, false).unmap(true))) {
            line.at(0);
            commit(graph, image, fileName, line);
        } finally {
            line.end();
        }
        if (!quiet) {
            console.out().print("Image committed.\n");
        }
        return 0;
    }

    private void commit(BlockGraph graph, BlockBackend image, String fileName, ProgressLine line)
            throws BlockException {
        Base base = findBase(image.root(), fileName);
        graph.transaction().setReadOnly(base.node, false).commit();
        try (BlockBackend target = graph.attach(null, base.node, true)) {
            long before = target.lengthBytes();
            if (before < image.lengthBytes()) {
                target.resize(image.lengthBytes(), Preallocation.OFF);
            }
            try {
                copy(image, target, base.depth, before, line);
                target.flush();
            } catch (BlockException e) {
                throw new BlockException(e.kind(), "Block job failed: " + e.reason(), e);
            }
        }
        if (!drop) {
            empty(image);
        }
        line.at(100);
    }

    /**
     * Where everything goes.
     *
     * @param depth how many images stand above it
     */
    private record Base(BlockNode node, int depth) {}

    private Base findBase(BlockNode top, String fileName) {
        Optional<BlockNode> below = BackingChain.backing(top);
        if (baseName == null) {
            if (below.isEmpty()) {
                throw fail("Image does not have a backing file");
            }
            return new Base(below.get(), 1);
        }
        int depth = 1;
        BlockNode above = top;
        while (below.isPresent()) {
            if (BackingChain.isNamed(above, below.get(), baseName)) {
                return new Base(below.get(), depth);
            }
            above = below.get();
            below = BackingChain.backing(below.get());
            depth++;
        }
        throw fail("Did not find '" + baseName + "' in the backing chain of '" + fileName + "'");
    }

    /** Copies what the base does not answer itself. @param before how long the base was: behind that it reads as zeros */
    private void copy(BlockBackend image, BlockBackend base, int depth, long before, ProgressLine line)
            throws BlockException {
        long end = image.lengthBytes();
        Pace pace = new Pace(bytesPerSecond);
        MemorySegment buffer = Arena.ofAuto().allocate(Math.max(1, Math.min(BUFFER_BYTES, end)), 4096);
        for (long at = 0; at < end; ) {
            BlockStatus status = image.status(at, Math.min(BUFFER_BYTES, end - at));
            long length = status.lengthBytes();
            boolean nobodys = !status.allocated() && at >= before;
            if (!nobodys && !status.allocated()) {
                // A layer in between that ends before the base does hides it with zeros.
                length = Math.min(length, before - at);
            }
            if (status.depth() < depth && !nobodys) {
                if (status.zero()) {
                    base.writeZeroes(at, length, true);
                } else {
                    MemorySegment piece = buffer.asSlice(0, length);
                    image.read(at, piece);
                    base.write(at, piece);
                }
                pace.moved(length);
            }
            at += length;
            line.at(100.0 * at / end);
        }
    }

    /** Formats that cannot be emptied stay as they are: they show the same. */
    private static void empty(BlockBackend image) throws BlockException {
        try {
            image.makeEmpty();
        } catch (BlockException e) {
            if (e.kind() != Kind.UNSUPPORTED) {
                throw new BlockException(
                        e.kind(), "Failed to empty " + NodeNames.shown(image.root()) + ": " + e.reason(), e);
            }
        }
    }

    private ProgramExit fail(String message) {
        console.error(message);
        return new ProgramExit(1);
    }
}
