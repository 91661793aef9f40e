package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.spi.Preallocation;
import org.jspecify.annotations.Nullable;

/** {@code resize}: changes the virtual size of an image. */
final class ResizeCommand {
    private final Console console;
    private @Nullable String format;
    private boolean quiet;
    private boolean shrink;
    private Preallocation preallocation = Preallocation.OFF;

    ResizeCommand(Console console) {
        this.console = console;
    }

    int run(String[] words) throws BlockException {
        if (words.length < 3) {
            throw console.usageError("Not enough arguments");
        }
        // The size may start with a minus sign: it is taken away before options are looked for.
        String size = words[words.length - 1];
        String[] others = new String[words.length - 1];
        System.arraycopy(words, 0, others, 0, others.length);
        ImgOptions options = new ImgOptions(
                console,
                others,
                ":f:hq",
                new LongOption("help", false, 'h'),
                new LongOption("object", true, ImgOptions.OBJECT),
                new LongOption("image-opts", false, ImgOptions.IMAGE_OPTS),
                new LongOption("preallocation", true, ImgOptions.PREALLOCATION),
                new LongOption("shrink", false, ImgOptions.SHRINK));
        for (int option = options.next(); option != OptionScanner.END; option = options.next()) {
            switch (option) {
                case 'f' -> format = options.argument();
                case 'q' -> quiet = true;
                case ImgOptions.PREALLOCATION -> preallocation = preallocationOf(options.argument());
                default -> shrink = true;
            }
        }
        if (options.operandCount() != 1) {
            throw console.usageError("Expecting image file name and size");
        }
        char sign = size.isEmpty() ? '\0' : size.charAt(0);
        boolean relative = sign == '+' || sign == '-';
        OptionValues values = new OptionValues(console);
        long amount = values.size("size", relative ? size.substring(1) : size);
        if (format == null && !options.isImageOpts()) {
            requireNoReference(options.operand(0));
        }
        try (BlockGraph graph = console.objects().newGraph();
                BlockBackend image = options.open(
                        graph, options.operand(0), Images.options(true, format, CacheMode.WRITEBACK, false))) {
            long current = image.lengthBytes();
            long wanted = !relative ? amount : sign == '+' ? current + amount : current - amount;
            return resize(image, current, wanted);
        }
    }

    /**
     * A guest can write an image header to the start of its raw disk. Whoever resizes that disk without naming its format must not be led to the file which that header
     * names (CVE-2026-24708).
     */
    private void requireNoReference(String fileName) throws BlockException {
        try (BlockGraph graph = console.objects().newGraph();
                BlockBackend image = Images.open(
                        console,
                        graph,
                        fileName,
                        Images.options(false, null, CacheMode.WRITEBACK, true)
                                .backing(false)
                                .noIo(true))) {
            ImageFacts facts = ImageFacts.of(image);
            String reference = facts.reference();
            if (reference != null) {
                console.error("'" + fileName + "' was taken for " + facts.format()
                        + " by its content alone, and names the file '" + reference
                        + "'; use -f to say that this is right");
                throw new ProgramExit(1);
            }
        }
    }

    private Preallocation preallocationOf(String name) {
        Preallocation mode = Preallocations.of(name);
        if (mode == null) {
            console.error("Invalid preallocation mode '" + name + "'");
            throw new ProgramExit(1);
        }
        return mode;
    }

    private int resize(BlockBackend image, long current, long wanted) throws BlockException {
        if (wanted <= 0) {
            console.error("New image size must be positive");
            return 1;
        }
        if (wanted <= current && preallocation != Preallocation.OFF) {
            console.error("Preallocation can only be used for growing images");
            return 1;
        }
        if (wanted < current && !shrink) {
            console.error("Use the --shrink option to perform a shrink operation.");
            console.warn("Shrinking an image will delete all data beyond the shrunken image's end. "
                    + "Before performing such an operation, make sure there is no important data there.");
            return 1;
        }
        try {
            image.resize(wanted, preallocation);
        } catch (BlockException e) {
            BitmapMessages.report(console, "", e);
            return 1;
        }
        if (!quiet) {
            console.out().print("Image resized.\n");
        }
        return 0;
    }
}
