package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.cli.output.Decimals;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import org.jspecify.annotations.Nullable;

/** {@code bench}: sends many requests to an image and tells how long they took. */
final class BenchCommand {
    private final Console console;
    private @Nullable String format;
    private CacheMode cache = CacheMode.WRITEBACK;
    private int count = 75_000;
    private int depth = 64;
    private long offset;
    private int bufferBytes = 4096;
    private int stepBytes;
    private int pattern;
    private int flushInterval;
    private boolean drainOnFlush = true;
    private boolean write;
    private boolean forceShare;

    BenchCommand(Console console) {
        this.console = console;
    }

    int run(String[] words) throws BlockException {
        ImgOptions options = new ImgOptions(
                console,
                words,
                ":hc:d:f:ni:o:qs:S:t:wU",
                new LongOption("help", false, 'h'),
                new LongOption("flush-interval", true, ImgOptions.FLUSH_INTERVAL),
                new LongOption("image-opts", false, ImgOptions.IMAGE_OPTS),
                new LongOption("pattern", true, ImgOptions.PATTERN),
                new LongOption("no-drain", false, ImgOptions.NO_DRAIN),
                new LongOption("force-share", false, 'U'));
        for (int option = options.next(); option != OptionScanner.END; option = options.next()) {
            take(options, option);
        }
        String fileName = options.soleFileName();
        if (!write && flushInterval != 0) {
            throw fail("--flush-interval is only available in write tests");
        }
        if (flushInterval != 0 && flushInterval < depth) {
            throw fail("Flush interval can't be smaller than depth");
        }
        try (BlockGraph graph = console.objects().newGraph();
                BlockBackend image = options.open(graph, fileName, Images.options(write, format, cache, forceShare))) {
            measure(image);
        }
        return 0;
    }

    private void take(ImgOptions options, int option) {
        switch (option) {
            case 'c' ->
                count = options.number(options.argument(), Integer.MAX_VALUE, "Invalid request count specified");
            case 'd' -> depth = options.number(options.argument(), Integer.MAX_VALUE, "Invalid queue depth specified");
            case 'f' -> format = options.argument();
            case 'i' -> checkEngine(options.argument());
            case 'o' -> offset = options.requiredSize("offset", options.argument(), Long.MAX_VALUE);
            case 's' -> bufferBytes = (int) options.requiredSize("buffer size", options.argument(), Integer.MAX_VALUE);
            case 'S' -> stepBytes = (int) options.requiredSize("step_size", options.argument(), Integer.MAX_VALUE);
            case 't' -> cache = cache(options.argument());
            case 'w' -> write = true;
            case 'U' -> forceShare = true;
            case ImgOptions.PATTERN ->
                pattern = options.number(options.argument(), 0xff, "Invalid pattern byte specified");
            case ImgOptions.FLUSH_INTERVAL ->
                flushInterval =
                        options.number(options.argument(), Integer.MAX_VALUE, "Invalid flush interval specified");
            case ImgOptions.NO_DRAIN -> drainOnFlush = false;
            default -> {
                // -q says nothing more; -n asks for asynchronous I/O of the kernel, which is what is used anyway.
            }
        }
    }

    private CacheMode cache(String name) {
        CacheMode mode = CacheMode.of(name);
        if (mode == null) {
            throw fail("Invalid cache mode");
        }
        return mode;
    }

    /** Takes the names qemu-img knows. */
    private void checkEngine(String name) {
        switch (name) {
            case "native", "io_uring", "threads" -> {
                // Who waits for the disk changes no result: the ring does where the kernel has one, else threads do.
            }
            default -> throw fail("Invalid aio option: " + name);
        }
    }

    private void measure(BlockBackend image) throws BlockException {
        int step = stepBytes == 0 ? bufferBytes : stepBytes;
        console.out()
                .print("Sending " + count + " " + (write ? "write" : "read") + " requests, " + bufferBytes
                        + " bytes each, " + depth + " in parallel (starting at offset " + offset + ", step size "
                        + step + ")\n");
        if (flushInterval != 0) {
            console.out().print("Sending flush every " + flushInterval + " requests\n");
        }
        BenchLoad load = new BenchLoad(
                image,
                new BenchLoad.Shape(
                        count,
                        depth,
                        offset,
                        bufferBytes,
                        step,
                        (byte) pattern,
                        write,
                        flushInterval,
                        drainOnFlush,
                        cache.writethrough()));
        long start = System.nanoTime();
        load.run();
        long nanos = System.nanoTime() - start;
        console.out().print("Run completed in " + Decimals.fixed(nanos / 1e9, 3) + " seconds.\n");
    }

    private ProgramExit fail(String message) {
        console.error(message);
        return new ProgramExit(1);
    }
}
