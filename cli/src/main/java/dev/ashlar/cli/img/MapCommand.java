package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.cli.output.Decimals;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.BlockStatus;
import dev.ashlar.core.spi.PrintableName;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** {@code map}: tells where the bytes of an image lie. */
final class MapCommand {
    private final Console console;
    private @Nullable String format;
    private boolean forceShare;
    private long startOffset;
    private long maximumLengthBytes = -1;

    MapCommand(Console console) {
        this.console = console;
    }

    int run(String[] words) throws BlockException {
        ImgOptions options = ImgOptions.ofImages(
                console,
                words,
                ":f:s:l:hU",
                new LongOption("format", true, 'f'),
                new LongOption("output", true, ImgOptions.OUTPUT),
                new LongOption("start-offset", true, 's'),
                new LongOption("max-length", true, 'l'));
        String output = null;
        for (int option = options.next(); option != OptionScanner.END; option = options.next()) {
            switch (option) {
                case 'f' -> format = options.argument();
                case ImgOptions.OUTPUT -> output = options.argument();
                case 's' -> startOffset = options.requiredSize("start offset", options.argument(), Long.MAX_VALUE);
                case 'l' -> maximumLengthBytes = options.requiredSize("max length", options.argument(), Long.MAX_VALUE);
                default -> forceShare = true;
            }
        }
        String fileName = options.soleFileName();
        boolean json = options.isJson(output);
        try (BlockGraph graph = console.objects().newGraph();
                BlockBackend image =
                        options.open(graph, fileName, Images.options(false, format, CacheMode.WRITEBACK, forceShare))) {
            return print(image, json);
        }
    }

    private int print(BlockBackend image, boolean json) throws BlockException {
        if (json) {
            console.out().print("[");
        } else {
            console.out()
                    .print(Decimals.left("Offset", 16) + Decimals.left("Length", 16) + Decimals.left("Mapped to", 16)
                            + "File\n");
        }
        long end = image.lengthBytes();
        if (maximumLengthBytes >= 0) {
            end = Math.min(end, startOffset + maximumLengthBytes);
        }
        try {
            Extent current = new Extent(startOffset, 0, 0, false, false, false, -1, null);
            while (current.end() < end && !console.isOutputLost()) {
                Extent next = look(image, current.end(), end - current.end());
                if (current.continuesIn(next)) {
                    current = current.longerBy(next.lengthBytes);
                    continue;
                }
                if (current.lengthBytes > 0) {
                    if (!printExtent(current, json, false)) {
                        return 1;
                    }
                    if (!json && (!next.data || next.zero)) {
                        next = next.asZero();
                    }
                }
                current = next;
            }
            if (!printExtent(current, json, true)) {
                return 1;
            }
        } catch (BlockException e) {
            console.error("Could not read file metadata: " + e.reason());
            return 1;
        }
        if (json) {
            console.out().print("]\n");
        }
        return 0;
    }

    private static Extent look(BlockBackend image, long offset, long lengthBytes) throws BlockException {
        BlockStatus status = image.status(offset, lengthBytes);
        return new Extent(
                offset,
                status.lengthBytes(),
                status.depth(),
                status.allocated(),
                status.data(),
                status.zero(),
                status.hostOffset(),
                status.hostOffset() >= 0 ? status.hostFile() : null);
    }

    private boolean printExtent(Extent extent, boolean json, boolean last) {
        if (json) {
            console.out().print(extent.toJson() + (last ? "" : ",\n"));
            return true;
        }
        if (extent.data && extent.hostOffset < 0) {
            console.error("File contains external, encrypted or compressed clusters.");
            return false;
        }
        if (extent.data && !extent.zero) {
            console.out()
                    .print(hex(extent.start) + hex(extent.lengthBytes) + hex(extent.hostOffset)
                            + (extent.file == null ? "" : PrintableName.of(extent.file)) + "\n");
        }
        return true;
    }

    /** {@code %#-16x}: zero goes without {@code 0x}. */
    private static String hex(long value) {
        return Decimals.left(value == 0 ? "0" : "0x" + Long.toHexString(value), 16);
    }

    private record Extent(
            long start,
            long lengthBytes,
            int depth,
            boolean present,
            boolean data,
            boolean zero,
            long hostOffset,
            @Nullable String file) {
        long end() {
            return start + lengthBytes;
        }

        boolean continuesIn(Extent next) {
            if (lengthBytes == 0 || zero != next.zero || data != next.data || depth != next.depth) {
                return false;
            }
            if (present != next.present || (hostOffset < 0) != (next.hostOffset < 0)) {
                return false;
            }
            return Objects.equals(file, next.file) && (hostOffset < 0 || hostOffset + lengthBytes == next.hostOffset);
        }

        Extent longerBy(long moreBytes) {
            return new Extent(start, lengthBytes + moreBytes, depth, present, data, zero, hostOffset, file);
        }

        Extent asZero() {
            return new Extent(start, lengthBytes, depth, present, false, true, hostOffset, file);
        }

        String toJson() {
            return "{ \"start\": " + start + ", \"length\": " + lengthBytes + ", \"depth\": " + depth
                    + ", \"present\": " + present + ", \"zero\": " + zero + ", \"data\": " + data
                    + (hostOffset < 0 ? "" : ", \"offset\": " + hostOffset) + "}";
        }
    }
}
