package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionList;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.cli.output.JsonObject;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.snapshot.SnapshotSelector;
import dev.ashlar.core.spi.MeasuredSize;
import org.jspecify.annotations.Nullable;

/** {@code measure}: tells how large a new image gets, empty or with the content of another. */
final class MeasureCommand {
    private static final int SIZE = 400;

    private final Console console;
    private String targetFormat = "raw";
    private String optionText = "";
    private @Nullable String sourceFormat;
    private @Nullable String snapshot;
    private @Nullable SnapshotSelector selector;
    private boolean forceShare;
    private boolean json;
    /** -1: none was given. */
    private long sizeBytes = -1;

    MeasureCommand(Console console) {
        this.console = console;
    }

    int run(String[] words) throws BlockException {
        ImgOptions options = new ImgOptions(
                console,
                words,
                "hf:l:o:O:U",
                new LongOption("help", false, 'h'),
                new LongOption("image-opts", false, ImgOptions.IMAGE_OPTS),
                new LongOption("object", true, ImgOptions.OBJECT),
                new LongOption("output", true, ImgOptions.OUTPUT),
                new LongOption("size", true, SIZE),
                new LongOption("force-share", false, 'U'));
        for (int option = options.next(); option != OptionScanner.END; option = options.next()) {
            take(options, option);
        }
        requireOneSource(options);
        try (BlockGraph graph = console.objects().newGraph()) {
            if (options.operandCount() == 0) {
                print(measure(graph, null, null));
                return 0;
            }
            try (BlockBackend image = options.open(
                    graph, options.operand(0), Images.options(false, sourceFormat, CacheMode.WRITEBACK, forceShare))) {
                measure(graph, image);
            }
            return 0;
        }
    }

    private void take(ImgOptions options, int option) {
        switch (option) {
            case 'f' -> sourceFormat = options.argument();
            case 'l' -> {
                snapshot = options.argument();
                // A mistake in it is told at once.
                selector = SnapshotSource.parse(console, snapshot);
            }
            case 'o' -> optionText = CreateOptions.join(console, optionText, options.argument());
            case 'O' -> targetFormat = options.argument();
            case ImgOptions.OUTPUT -> json = options.isJson(options.argument());
            case SIZE -> sizeBytes = options.requiredSize("image size", options.argument(), Long.MAX_VALUE);
            default -> forceShare = true;
        }
    }

    private void requireOneSource(ImgOptions options) {
        int names = options.operandCount();
        if (names > 1) {
            throw fail("At most one filename argument is allowed.");
        }
        if (names == 0 && (options.isImageOpts() || sourceFormat != null || snapshot != null)) {
            throw fail("--image-opts, -f, and -l require a filename argument.");
        }
        if (names == 1 && sizeBytes != -1) {
            throw fail("--size N cannot be used together with a filename.");
        }
        if (names == 0 && sizeBytes == -1) {
            throw fail("Either --size N or one filename must be specified.");
        }
    }

    private void measure(BlockGraph graph, BlockBackend image) throws BlockException {
        if (selector == null) {
            print(measure(graph, image, image));
            return;
        }
        try (BlockBackend view = SnapshotSource.open(selector, image)) {
            print(measure(graph, view, image));
        }
    }

    private MeasuredSize measure(BlockGraph graph, @Nullable BlockBackend content, @Nullable BlockBackend image)
            throws BlockException {
        OptionValues values =
                new OptionValues(console, "", CreateOptions.unnamed(console, graph, "file", targetFormat));
        try {
            values.setAll(OptionList.of(optionText));
        } catch (ProgramExit e) {
            console.error("Invalid options for file format '" + targetFormat + "'");
            throw e;
        }
        if (sizeBytes != -1) {
            values.set("size", Long.toString(sizeBytes));
        }
        return graph.measure(targetFormat, values.asMap(), content, image == null ? null : image.root());
    }

    private void print(MeasuredSize size) {
        if (json) {
            // QEMU declares these numbers signed: what the text shows as more than 2^63 - 1 is negative here.
            JsonObject object = new JsonObject();
            size.bitmapsBytes().ifPresent(bytes -> object.put("bitmaps", bytes));
            object.put("required", size.requiredBytes()).put("fully-allocated", size.fullyAllocatedBytes());
            console.out().print(object + "\n");
            return;
        }
        console.out().print("required size: " + Long.toUnsignedString(size.requiredBytes()) + "\n");
        console.out().print("fully allocated size: " + Long.toUnsignedString(size.fullyAllocatedBytes()) + "\n");
        if (size.bitmapsBytes().isPresent()) {
            long bytes = size.bitmapsBytes().getAsLong();
            console.out().print("bitmaps size: " + Long.toUnsignedString(bytes) + "\n");
        }
    }

    private ProgramExit fail(String message) {
        console.error(message);
        return new ProgramExit(1);
    }
}
