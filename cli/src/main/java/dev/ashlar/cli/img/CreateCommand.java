package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionList;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.spi.PrintableName;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** {@code create}: makes a new image. */
final class CreateCommand {
    private final Console console;
    private String format = "raw";
    private @Nullable String backingFile;
    private @Nullable String backingFormat;
    private String optionText = "";
    private boolean quiet;
    private boolean backingUnopened;

    CreateCommand(Console console) {
        this.console = console;
    }

    int run(String[] words) throws BlockException {
        ImgOptions options = new ImgOptions(
                console,
                words,
                ":F:b:f:ho:qu",
                new LongOption("help", false, 'h'),
                new LongOption("object", true, ImgOptions.OBJECT));
        for (int option = options.next(); option != OptionScanner.END; option = options.next()) {
            switch (option) {
                case 'F' -> backingFormat = options.argument();
                case 'b' -> backingFile = options.argument();
                case 'f' -> format = options.argument();
                case 'o' -> optionText = CreateOptions.join(console, optionText, options.argument());
                case 'q' -> quiet = true;
                default -> backingUnopened = true;
            }
        }
        OptionList list = OptionList.of(optionText);
        try (BlockGraph graph = console.objects().newGraph()) {
            if (list.isHelpWanted()) {
                String target = options.operandCount() == 0 ? null : options.operand(0);
                return CreateOptions.printHelp(console, graph, target, format);
            }
            if (options.operandCount() == 0) {
                throw console.usageError("Expecting image file name");
            }
            OptionalLong size = OptionalLong.empty();
            if (options.operandCount() > 1) {
                size = OptionalLong.of(options.requiredSize("image size", options.operand(1), Long.MAX_VALUE));
            }
            if (options.operandCount() > 2) {
                throw console.usageError("Unexpected argument: " + options.operand(2));
            }
            create(graph, options.operand(0), list, size);
            return 0;
        }
    }

    private void create(BlockGraph graph, String fileName, OptionList list, OptionalLong size) throws BlockException {
        OptionValues values =
                new OptionValues(console, fileName + ": ", CreateOptions.of(console, graph, fileName, format));
        values.setAll(list);
        if (values.get("size") != null && size.isPresent()) {
            throw fail(fileName, "The image size must be specified only once");
        }
        if (size.isPresent()) {
            values.set("size", Long.toString(size.getAsLong()));
        }
        setBacking(fileName, values);
        checkBacking(graph, fileName, values);
        if (values.get("size") == null) {
            throw fail(fileName, "Image creation needs a size parameter");
        }
        if (!quiet) {
            console.out().print("Formatting '" + fileName + "', fmt=" + format + " " + values.summary() + "\n");
            console.out().flush();
        }
        try {
            graph.createImage(fileName, format, values.asMap());
        } catch (BlockException e) {
            if (e.kind() == Kind.TOO_LARGE) {
                boolean hasClusters = values.get("cluster_size") != null || values.has("cluster_size");
                throw fail(
                        fileName,
                        "The image size is too large for file format '" + format + "'"
                                + (hasClusters ? " (try using a larger cluster size)" : ""));
            }
            throw new BlockException(e.kind(), fileName + ": " + e.getMessage(), e);
        }
    }

    private void setBacking(String fileName, OptionValues values) {
        if (backingFile != null) {
            if (!values.has("backing_file")) {
                throw fail(fileName, "Backing file not supported for file format '" + format + "'");
            }
            values.set("backing_file", backingFile);
        }
        if (backingFormat != null) {
            if (!values.has("backing_fmt")) {
                throw fail(fileName, "Backing file format not supported for file format '" + format + "'");
            }
            values.set("backing_fmt", backingFormat);
        }
    }

    /** Looks whether the backing file is there, and takes the size from it where none was given. */
    private void checkBacking(BlockGraph graph, String fileName, OptionValues values) {
        String backing = values.get("backing_file");
        if (backing == null) {
            return;
        }
        if (backing.equals(fileName)) {
            throw fail(fileName, "Error: Trying to create an image with the same filename as the backing file");
        }
        if (backing.isEmpty()) {
            throw fail(fileName, "Expected backing file name, got empty string");
        }
        String chosenFormat = values.get("backing_fmt");
        if (backingUnopened) {
            if (chosenFormat == null) {
                throw fail(fileName, "Backing file specified without backing format");
            }
            return;
        }
        try (BlockBackend image = graph.open(
                Images.resolve(fileName, backing),
                console.trust()
                        .apply(
                                Images.options(false, chosenFormat, CacheMode.WRITEBACK, true)
                                        .noIo(true),
                                backing))) {
            if (chosenFormat == null) {
                ProgramExit exit = fail(fileName, "Backing file specified without backing format");
                console.hintWithoutEnd("Detected format of " + image.formatName() + ".");
                throw exit;
            }
            String named =
                    console.trust().isFull() ? null : ImageFacts.of(image).reference();
            if (named != null) {
                throw new BlockException(
                        Kind.PERMISSION,
                        "'" + backing + "' names the file '" + PrintableName.of(named)
                                + "', and is not trusted to be read through the new image");
            }
            if (values.get("size") == null) {
                values.set("size", Long.toString(image.lengthBytes()));
            }
        } catch (BlockException e) {
            ProgramExit exit = fail(fileName, String.valueOf(e.getMessage()));
            console.hint("Could not open backing image.");
            throw exit;
        }
    }

    private ProgramExit fail(String fileName, String message) {
        console.error(fileName + ": " + message);
        return new ProgramExit(1);
    }
}
