package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.core.bitmap.NodeBitmaps;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** {@code bitmap}: one action or more on a bitmap that an image keeps, in the order of the command line. */
final class BitmapCommand {
    private static final int ADD = 400;
    private static final int REMOVE = 401;
    private static final int CLEAR = 402;
    private static final int ENABLE = 403;
    private static final int DISABLE = 404;
    private static final int MERGE = 405;

    private final Console console;

    /** @param source the bitmap that is merged; null for other actions */
    private record Action(String name, @Nullable String source) {}

    private final List<Action> actions = new ArrayList<>();
    private @Nullable String format;
    private @Nullable String sourceFile;
    private @Nullable String sourceFormat;
    /** 0: what suits the image. */
    private long granularityBytes;

    BitmapCommand(Console console) {
        this.console = console;
    }

    int run(String[] words) throws BlockException {
        ImgOptions options = new ImgOptions(
                console,
                words,
                ":b:f:F:g:h",
                new LongOption("help", false, 'h'),
                new LongOption("object", true, ImgOptions.OBJECT),
                new LongOption("image-opts", false, ImgOptions.IMAGE_OPTS),
                new LongOption("add", false, ADD),
                new LongOption("remove", false, REMOVE),
                new LongOption("clear", false, CLEAR),
                new LongOption("enable", false, ENABLE),
                new LongOption("disable", false, DISABLE),
                new LongOption("merge", true, MERGE),
                new LongOption("source-file", true, 'b'),
                new LongOption("source-format", true, 'F'),
                new LongOption("granularity", true, 'g'));
        for (int option = options.next(); option != OptionScanner.END; option = options.next()) {
            switch (option) {
                case 'b' -> sourceFile = options.argument();
                case 'f' -> format = options.argument();
                case 'F' -> sourceFormat = options.argument();
                case 'g' -> {
                    OptionalLong size = options.size("granularity", options.argument(), 1, Long.MAX_VALUE);
                    if (size.isEmpty()) {
                        return 1;
                    }
                    granularityBytes = size.getAsLong();
                }
                case MERGE -> actions.add(new Action("merge", options.argument()));
                default -> actions.add(new Action(nameOf(option), null));
            }
        }
        String mistake = mistake(options.operandCount());
        if (mistake != null) {
            console.error(mistake);
            return 1;
        }
        // Backing files stay closed: bitmaps are merged into the very file that the other one lies over.
        try (BlockGraph graph = console.objects().newGraph();
                BlockBackend image = options.open(
                        graph,
                        options.operand(0),
                        Images.options(true, format, CacheMode.WRITEBACK, false).backing(false));
                BlockBackend source = openSource(graph)) {
            return act(image.root(), source == null ? image.root() : source.root(), options.operand(1));
        }
    }

    private static String nameOf(int option) {
        return switch (option) {
            case ADD -> "add";
            case REMOVE -> "remove";
            case CLEAR -> "clear";
            case ENABLE -> "enable";
            default -> "disable";
        };
    }

    private @Nullable String mistake(int operandCount) {
        if (actions.isEmpty()) {
            return "Need at least one of --add, --remove, --clear, --enable, --disable, or --merge";
        }
        if (granularityBytes != 0 && !has("add")) {
            return "granularity only supported with --add";
        }
        if (sourceFormat != null && sourceFile == null) {
            return "-F only supported with -b";
        }
        if (sourceFile != null && !has("merge")) {
            return "Merge bitmap source file only supported with --merge";
        }
        return operandCount == 2 ? null : "Expecting filename and bitmap name";
    }

    private boolean has(String name) {
        for (Action action : actions) {
            if (action.name().equals(name)) {
                return true;
            }
        }
        return false;
    }

    private @Nullable BlockBackend openSource(BlockGraph graph) throws BlockException {
        if (sourceFile == null) {
            return null;
        }
        OpenOptions how =
                Images.options(false, sourceFormat, CacheMode.WRITEBACK, false).backing(false);
        return Images.open(console, graph, sourceFile, console.trust().apply(how, sourceFile));
    }

    private int act(BlockNode image, BlockNode source, String bitmap) throws BlockException {
        for (Action action : actions) {
            try {
                act(action, image.bitmaps(), source.bitmaps(), bitmap);
            } catch (BlockException e) {
                BitmapMessages.report(console, "Operation " + action.name() + " on bitmap " + bitmap + " failed: ", e);
                return 1;
            }
        }
        return 0;
    }

    private void act(Action action, NodeBitmaps bitmaps, NodeBitmaps sources, String name) throws BlockException {
        switch (action.name()) {
            case "add" ->
                bitmaps.createPersistent(
                        name, granularityBytes != 0 ? granularityBytes : bitmaps.defaultGranularityBytes());
            case "remove" -> bitmaps.remove(bitmaps.require(name));
            case "clear" -> bitmaps.require(name).clear();
            case "enable" -> bitmaps.require(name).enable();
            case "disable" -> bitmaps.require(name).disable();
            default -> {
                DirtyBitmap into = bitmaps.require(name);
                into.merge(List.of(sources.require(action.source() == null ? name : action.source())));
            }
        }
    }
}
