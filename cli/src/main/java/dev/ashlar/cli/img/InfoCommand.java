package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.cli.output.JsonObject;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code info}: tells about an image, and with {@code --backing-chain} about those below it. */
final class InfoCommand {
    private final Console console;
    private @Nullable String format;
    private boolean chain;
    private boolean forceShare;

    InfoCommand(Console console) {
        this.console = console;
    }

    int run(String[] words) throws BlockException {
        ImgOptions options = ImgOptions.ofImages(
                console,
                words,
                ":f:hU",
                new LongOption("format", true, 'f'),
                new LongOption("output", true, ImgOptions.OUTPUT),
                new LongOption("backing-chain", false, ImgOptions.BACKING_CHAIN));
        String output = null;
        for (int option = options.next(); option != OptionScanner.END; option = options.next()) {
            switch (option) {
                case 'f' -> format = options.argument();
                case ImgOptions.OUTPUT -> output = options.argument();
                case ImgOptions.BACKING_CHAIN -> chain = true;
                default -> forceShare = true;
            }
        }
        String fileName = options.soleFileName();
        boolean json = options.isJson(output);
        List<ImageFacts> images = collect(options, fileName);
        if (images.isEmpty()) {
            return 1;
        }
        if (json) {
            printJson(images);
        } else {
            String separator = "";
            for (ImageFacts image : images) {
                console.out().print(separator);
                image.print(console.out());
                separator = "\n";
            }
        }
        return 0;
    }

    /** The facts of the image, or of all of the chain; empty after an error that was reported. */
    private List<ImageFacts> collect(ImgOptions options, String fileName) throws BlockException {
        List<ImageFacts> images = new ArrayList<>();
        List<String> seen = new ArrayList<>();
        String next = fileName;
        String nextFormat = format;
        while (next != null) {
            if (seen.contains(next)) {
                console.error("Backing file '" + next + "' creates an infinite loop.");
                return List.of();
            }
            seen.add(next);
            ImageFacts facts = look(images.isEmpty() ? options : null, next, nextFormat);
            images.add(facts);
            // what an image names that is not trusted is told, not opened
            next = chain && console.trust().isFull() ? facts.backingPath() : null;
            nextFormat = facts.backingFormat();
        }
        return images;
    }

    private ImageFacts look(@Nullable ImgOptions options, String fileName, @Nullable String imageFormat)
            throws BlockException {
        try (BlockGraph graph = console.objects().newGraph();
                BlockBackend image = open(
                        options,
                        graph,
                        fileName,
                        Images.options(false, imageFormat, CacheMode.WRITEBACK, forceShare)
                                .backing(false)
                                .noIo(true))) {
            return ImageFacts.of(image);
        }
    }

    /** @param options of the image at the top of the chain, which may be described by options; null for those below */
    private BlockBackend open(@Nullable ImgOptions options, BlockGraph graph, String fileName, OpenOptions how)
            throws BlockException {
        return options == null ? Images.open(console, graph, fileName, how) : options.open(graph, fileName, how);
    }

    private void printJson(List<ImageFacts> images) {
        if (!chain) {
            console.out().print(images.get(0).toJson() + "\n");
            return;
        }
        List<JsonObject> list = new ArrayList<>();
        for (ImageFacts image : images) {
            list.add(image.toJson());
        }
        console.out().print(JsonObject.listText(list) + "\n");
    }
}
