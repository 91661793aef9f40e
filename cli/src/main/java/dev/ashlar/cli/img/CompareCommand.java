package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.option.CacheMode;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.cli.output.ProgressLine;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.BlockStatus;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** {@code compare}: tells whether two images have the same content. */
final class CompareCommand {
    private static final int DIFFERENT = 1;
    private static final int NOT_OPENED = 2;
    private static final int NO_STATUS = 3;
    private static final int READ_ERROR = 4;
    private static final int SECTOR = 512;
    private static final int BUFFER_BYTES = 2 << 20;

    private final Console console;
    private final MemorySegment buffer1 = Arena.ofAuto().allocate(BUFFER_BYTES, 4096);
    private final MemorySegment buffer2 = Arena.ofAuto().allocate(BUFFER_BYTES, 4096);
    private final MemorySegment zeros = Arena.ofAuto().allocate(BUFFER_BYTES, 16);
    private @Nullable String format1;
    private @Nullable String format2;
    private String cacheName = "writeback";
    private boolean progress;
    private boolean quiet;
    private boolean strict;
    private boolean forceShare;

    CompareCommand(Console console) {
        this.console = console;
    }

    private record Side(BlockBackend image, String fileName) {}

    /** Ends the comparison with a status. */
    private static final class Verdict extends Exception {
        private static final long serialVersionUID = 1L;
        private final int status;

        Verdict(int status) {
            super(null, null, false, false);
            this.status = status;
        }
    }

    int run(String[] words) throws BlockException {
        ImgOptions options = ImgOptions.ofImages(console, words, ":hf:F:T:pqsU");
        for (int option = options.next(); option != OptionScanner.END; option = options.next()) {
            switch (option) {
                case 'f' -> format1 = options.argument();
                case 'F' -> format2 = options.argument();
                case 'T' -> cacheName = options.argument();
                case 'p' -> progress = true;
                case 'q' -> quiet = true;
                case 's' -> strict = true;
                default -> forceShare = true;
            }
        }
        if (options.operandCount() != 2) {
            throw console.usageError("Expecting two image file names");
        }
        CacheMode cache = options.cacheMode(cacheName, "Invalid source cache option: ", NOT_OPENED);
        ProgressLine line = new ProgressLine(console.out(), progress && !quiet, 2);
        try (BlockGraph graph = console.objects().newGraph();
                BlockBackend image1 = open(options, graph, options.operand(0), format1, cache);
                BlockBackend image2 = open(options, graph, options.operand(1), format2, cache)) {
            line.at(0);
            compare(new Side(image1, options.operand(0)), new Side(image2, options.operand(1)), line);
            print("Images are identical.\n");
            return 0;
        } catch (Verdict verdict) {
            return verdict.status;
        } finally {
            line.end();
        }
    }

    private BlockBackend open(
            ImgOptions options, BlockGraph graph, String fileName, @Nullable String format, CacheMode cache)
            throws Verdict {
        try {
            return options.open(graph, fileName, Images.options(false, format, cache, forceShare));
        } catch (BlockException e) {
            console.error(String.valueOf(e.getMessage()));
            throw new Verdict(NOT_OPENED);
        }
    }

    private void compare(Side one, Side two, ProgressLine line) throws BlockException, Verdict {
        long length1 = one.image.lengthBytes();
        long length2 = two.image.lengthBytes();
        if (strict && length1 != length2) {
            print("Strict mode: Image size mismatch!\n");
            throw new Verdict(DIFFERENT);
        }
        long common = Math.min(length1, length2);
        long longest = Math.max(length1, length2);
        long offset = 0;
        while (offset < common) {
            BlockStatus status1 = status(one, offset, length1 - offset);
            BlockStatus status2 = status(two, offset, length2 - offset);
            long length = Math.min(status1.lengthBytes(), status2.lengthBytes());
            if (strict && !alike(status1, status2)) {
                print("Strict mode: Offset " + offset + " block status mismatch!\n");
                throw new Verdict(DIFFERENT);
            }
            if (!(status1.zero() && status2.zero())) {
                length = compareContent(one, two, offset, length, status1.allocated(), status2.allocated());
            }
            offset += length;
            line.advance(100.0 * length / longest);
        }
        if (length1 != length2) {
            print("Warning: Image size mismatch!\n");
            compareRest(length1 > length2 ? one : two, offset, longest, line);
        }
    }

    private long compareContent(
            Side one, Side two, long offset, long lengthBytes, boolean allocated1, boolean allocated2) throws Verdict {
        if (allocated1 != allocated2) {
            long length = Math.min(lengthBytes, BUFFER_BYTES);
            expectZeros(allocated1 ? one : two, offset, length);
            return length;
        }
        if (!allocated1) {
            return lengthBytes;
        }
        long length = Math.min(lengthBytes, BUFFER_BYTES);
        read(one, offset, buffer1, length);
        read(two, offset, buffer2, length);
        long mismatch = MemorySegment.mismatch(buffer1, 0, length, buffer2, 0, length);
        if (mismatch >= 0) {
            print("Content mismatch at offset " + (offset + mismatch / SECTOR * SECTOR) + "!\n");
            throw new Verdict(DIFFERENT);
        }
        return length;
    }

    private void compareRest(Side longer, long start, long end, ProgressLine line) throws Verdict {
        long offset = start;
        while (offset < end) {
            BlockStatus status = status(longer, offset, end - offset);
            long length = status.lengthBytes();
            if (status.allocated() && !status.zero()) {
                length = Math.min(length, BUFFER_BYTES);
                expectZeros(longer, offset, length);
            }
            offset += length;
            line.advance(100.0 * length / end);
        }
    }

    private void expectZeros(Side side, long offset, long lengthBytes) throws Verdict {
        read(side, offset, buffer1, lengthBytes);
        long mismatch = MemorySegment.mismatch(buffer1, 0, lengthBytes, zeros, 0, lengthBytes);
        if (mismatch >= 0) {
            print("Content mismatch at offset " + (offset + mismatch) + "!\n");
            throw new Verdict(DIFFERENT);
        }
    }

    private void read(Side side, long offset, MemorySegment buffer, long lengthBytes) throws Verdict {
        try {
            side.image.read(offset, buffer.asSlice(0, lengthBytes));
        } catch (BlockException e) {
            console.error("Error while reading offset " + offset + " of " + side.fileName + ": " + e.reason());
            throw new Verdict(READ_ERROR);
        }
    }

    private BlockStatus status(Side side, long offset, long lengthBytes) throws Verdict {
        try {
            return side.image.status(offset, lengthBytes);
        } catch (BlockException e) {
            console.error("Sector allocation test failed for " + side.fileName);
            throw new Verdict(NO_STATUS);
        }
    }

    private static boolean alike(BlockStatus one, BlockStatus two) {
        return one.data() == two.data() && one.zero() == two.zero() && one.allocated() == two.allocated();
    }

    private void print(String text) {
        if (!quiet) {
            console.out().print(text);
        }
    }
}
