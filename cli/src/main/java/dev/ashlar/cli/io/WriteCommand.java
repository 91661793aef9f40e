package dev.ashlar.cli.io;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** {@code write}, {@code writev} and {@code discard}. */
final class WriteCommand {
    private static final int DEFAULT_PATTERN = 0xcd;

    private final Console console;
    private final OpenImage image;
    private final IoCommand.Entry entry;
    private final Numbers numbers;
    private boolean machine;
    private boolean quiet;
    private boolean forced;
    private boolean zeroes;
    private boolean unmap;
    private boolean fast;
    private boolean vmState;
    private boolean compressed;
    private int pattern = -1;
    private @Nullable String patternFile;

    WriteCommand(Console console, OpenImage image, IoCommand.Entry entry) {
        this.console = console;
        this.image = image;
        this.entry = entry;
        numbers = new Numbers(console);
    }

    boolean run(String[] words) throws BlockException {
        Arguments arguments = new Arguments(console, entry, words, "bcCfnpP:qs:uz");
        for (int option = arguments.next(); option != OptionScanner.END; option = arguments.next()) {
            switch (option) {
                case 'b' -> vmState = true;
                case 'c' -> compressed = true;
                case 'n' -> fast = true;
                case 's' -> patternFile = arguments.argument();
                case 'u' -> unmap = true;
                case 'z' -> zeroes = true;
                default -> takeCommon(arguments, option);
            }
        }
        if (arguments.count() != 2) {
            throw arguments.usage();
        }
        checkFlags();
        long offset = numbers.bytes(arguments.operand(0));
        long length = numbers.bytes(arguments.operand(1));
        if (length > Numbers.MAXIMUM_REQUEST_BYTES && !fast) {
            throw numbers.fail("length cannot exceed " + Numbers.MAXIMUM_REQUEST_BYTES + " without -n, given "
                    + arguments.operand(1));
        }
        if (vmState || compressed) {
            numbers.checkSectors("offset", offset);
            numbers.checkSectors("count", length);
        }
        if (fast && !isFast(offset, length)) {
            console.out().print("write failed: " + BlockException.Kind.UNSUPPORTED.reason() + "\n");
            return false;
        }
        return write("write failed: ", offset, length, zeroes ? null : buffer(length));
    }

    boolean runVector(String[] words) {
        Arguments arguments = new Arguments(console, entry, words, "CfqP:");
        for (int option = arguments.next(); option != OptionScanner.END; option = arguments.next()) {
            takeCommon(arguments, option);
        }
        if (arguments.count() < 2) {
            throw arguments.usage();
        }
        long offset = numbers.bytes(arguments.operand(0));
        long length = numbers.total(arguments.operands(), 1);
        return write("writev failed: ", offset, length, buffer(length));
    }

    boolean discard(String[] words) {
        Arguments arguments = new Arguments(console, entry, words, "Cq");
        for (int option = arguments.next(); option != OptionScanner.END; option = arguments.next()) {
            takeCommon(arguments, option);
        }
        if (arguments.count() != 2) {
            throw arguments.usage();
        }
        long offset = numbers.bytes(arguments.operand(0));
        long length = numbers.bytes(arguments.operand(1));
        if (length > Numbers.MAXIMUM_REQUEST_BYTES) {
            throw numbers.fail(
                    "length cannot exceed " + Numbers.MAXIMUM_REQUEST_BYTES + ", given " + arguments.operand(1));
        }
        long begin = System.nanoTime();
        try {
            image.backend().discard(offset, length);
            image.changed();
        } catch (BlockException e) {
            console.out().print("discard failed: " + e.reason() + "\n");
            return false;
        }
        report("discard", System.nanoTime() - begin, offset, length);
        return true;
    }

    private void takeCommon(Arguments arguments, int option) {
        switch (option) {
            case 'C' -> machine = true;
            case 'f' -> forced = true;
            case 'q' -> quiet = true;
            case 'P' -> pattern = numbers.pattern(arguments.argument());
            default -> {
                // -p once meant something.
            }
        }
    }

    private void checkFlags() {
        if (vmState && zeroes) {
            throw numbers.fail("-b and -z cannot be specified at the same time");
        }
        if (forced && (vmState || compressed)) {
            throw numbers.fail("-f and -b or -c cannot be specified at the same time");
        }
        if (fast && !zeroes) {
            throw numbers.fail("-n requires -z to be specified");
        }
        if (unmap && !zeroes) {
            throw numbers.fail("-u requires -z to be specified");
        }
        int sources = (zeroes ? 1 : 0) + (pattern >= 0 ? 1 : 0) + (patternFile != null ? 1 : 0);
        if (sources > 1) {
            throw numbers.fail("Only one of -z, -P, and -s can be specified at the same time");
        }
    }

    private MemorySegment buffer(long lengthBytes) {
        if (patternFile == null) {
            return image.allocate(lengthBytes, pattern < 0 ? DEFAULT_PATTERN : pattern);
        }
        byte[] content;
        try (InputStream in = Files.newInputStream(Path.of(patternFile))) {
            content = in.readNBytes((int) lengthBytes);
        } catch (NoSuchFileException e) {
            throw complain(patternFile + ": No such file or directory");
        } catch (IOException e) {
            throw complain(patternFile + ": " + e.getMessage());
        }
        if (content.length == 0) {
            throw complain(patternFile + ": file is empty");
        }
        MemorySegment buffer = image.allocate(lengthBytes, 0);
        MemorySegment source = MemorySegment.ofArray(content);
        for (long done = 0; done < lengthBytes; done += content.length) {
            MemorySegment.copy(source, 0, buffer, done, Math.min(content.length, lengthBytes - done));
        }
        return buffer;
    }

    private ProgramExit complain(String message) {
        console.hint(message);
        return new ProgramExit(1);
    }

    /** @param data what to write, or null for zeros */
    private boolean write(String failure, long offset, long lengthBytes, @Nullable MemorySegment data) {
        long begin = System.nanoTime();
        try {
            if (vmState && data != null) {
                StateArea.write(image.backend(), offset, data);
            } else if (data == null) {
                image.backend().writeZeroes(offset, lengthBytes, unmap);
            } else if (compressed) {
                image.backend().writeCompressed(offset, data);
            } else {
                image.backend().write(offset, data);
            }
            image.afterWrite(forced);
        } catch (BlockException e) {
            console.out().print(failure + e.reason() + "\n");
            return false;
        }
        report("wrote", System.nanoTime() - begin, offset, lengthBytes);
        return true;
    }

    /** Whether zeros take no more than a note in the tables, or a call to the host: parts of clusters would be written as data. */
    private boolean isFast(long offset, long lengthBytes) throws BlockException {
        BlockBackend backend = image.backend();
        long unit =
                backend.formatInfo().isPresent() ? backend.formatInfo().get().clusterSizeBytes() : 0;
        long end = offset + lengthBytes;
        return unit == 0 || offset % unit == 0 && (end % unit == 0 || end == backend.lengthBytes());
    }

    private void report(String verb, long nanos, long offset, long lengthBytes) {
        if (!quiet) {
            Report.print(console.out(), verb, nanos, offset, lengthBytes, lengthBytes, machine);
        }
    }
}
