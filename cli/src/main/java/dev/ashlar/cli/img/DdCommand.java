package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** {@code dd}: copies blocks of one image into a new one; durable when it ends with status 0. */
final class DdCommand {
    private static final int PIECE_BYTES = 1 << 20;

    private final Console console;
    private @Nullable String sourceFormat;
    private String targetFormat = "raw";
    private boolean forceShare;
    private @Nullable String input;
    private @Nullable String output;
    private long blockBytes = 512;
    private OptionalLong count = OptionalLong.empty();
    private long skip;

    DdCommand(Console console) {
        this.console = console;
    }

    int run(String[] words) throws BlockException {
        ImgOptions options = ImgOptions.ofImages(console, words, ":hf:O:U");
        for (int option = options.next(); option != OptionScanner.END; option = options.next()) {
            switch (option) {
                case 'f' -> sourceFormat = options.argument();
                case 'O' -> targetFormat = options.argument();
                default -> forceShare = true;
            }
        }
        for (int i = 0; i < options.operandCount(); i++) {
            take(options, options.operand(i));
        }
        String from = input;
        String to = output;
        if (from == null || to == null) {
            throw fail("Must specify both input and output files");
        }
        try (BlockGraph graph = console.objects().newGraph();
                BlockBackend source = options.open(
                        graph, from, Images.options(false, sourceFormat, CacheMode.WRITEBACK, forceShare))) {
            copy(graph, source, from, to);
            return 0;
        }
    }

    private void take(ImgOptions options, String operand) {
        int equals = operand.indexOf('=');
        String name = equals < 0 ? operand : operand.substring(0, equals);
        if (equals < 0) {
            throw fail("unrecognized operand " + name);
        }
        String value = operand.substring(equals + 1);
        switch (name) {
            case "bs" -> blockBytes = number(options, name, value, 1, Integer.MAX_VALUE);
            case "count" -> count = OptionalLong.of(number(options, name, value, 0, Long.MAX_VALUE));
            case "if" -> input = value;
            case "of" -> output = value;
            case "skip" -> skip = number(options, name, value, 0, Long.MAX_VALUE);
            default -> throw fail("unrecognized operand " + name);
        }
    }

    private static long number(ImgOptions options, String name, String text, long minimum, long maximum) {
        OptionalLong number = options.size(name, text, minimum, maximum);
        if (number.isEmpty()) {
            throw new ProgramExit(1);
        }
        return number.getAsLong();
    }

    private void copy(BlockGraph graph, BlockBackend source, String from, String to) throws BlockException {
        requireCreation(graph, to);
        // A last part of a sector counts as a whole one.
        long end = (source.lengthBytes() + 511) & -512L;
        // Blocks are counted from the start of the input, those that are skipped too: qemu-img has it so.
        if (count.isPresent() && count.getAsLong() <= Long.MAX_VALUE / blockBytes) {
            end = Math.min(end, count.getAsLong() * blockBytes);
        }
        boolean behind = skip > Long.MAX_VALUE / blockBytes || skip * blockBytes > end;
        long start = behind ? end : skip * blockBytes;
        try {
            graph.createImage(to, targetFormat, Map.of("size", Long.toString(end - start)));
        } catch (BlockException e) {
            throw new BlockException(
                    e.kind(), to + ": error while creating output image: " + e.getMessage(), e.reason(), e);
        }
        try (HalfTarget half = new HalfTarget()) {
            half.begin(to);
            try (BlockBackend target = Images.open(
                    console,
                    graph,
                    to,
                    console.trust()
                            .applyToTarget(Images.options(true, targetFormat, CacheMode.WRITEBACK, false), Set.of()))) {
                if (behind) {
                    console.error(from + ": cannot skip to specified offset");
                }
                copy(source, start, end, target);
                target.flush();
            }
            half.finish();
        }
    }

    private void requireCreation(BlockGraph graph, String to) throws BlockException {
        if (graph.driver(targetFormat).isEmpty()) {
            throw fail("Unknown file format");
        }
        graph.requireCreatable(to, targetFormat);
    }

    /** Everything is written, zeros as well, in larger pieces than blocks: nothing tells the difference. */
    private void copy(BlockBackend source, long start, long end, BlockBackend target) throws BlockException {
        long readable = source.lengthBytes();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(PIECE_BYTES, 4096);
            for (long at = start; at < end; at += PIECE_BYTES) {
                MemorySegment piece = buffer.asSlice(0, Math.min(PIECE_BYTES, end - at));
                long there = Math.clamp(readable - at, 0, piece.byteSize());
                try {
                    source.read(at, piece.asSlice(0, there));
                } catch (BlockException e) {
                    throw fail("error while reading from input image file: " + e.reason());
                }
                piece.asSlice(there).fill((byte) 0);
                try {
                    target.write(at - start, piece);
                } catch (BlockException e) {
                    throw fail("error while writing to output image file: " + e.reason());
                }
            }
        }
    }

    private ProgramExit fail(String message) {
        console.error(message);
        return new ProgramExit(1);
    }
}
