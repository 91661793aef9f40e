package dev.ashlar.cli.io;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.core.BlockException;
import java.lang.foreign.MemorySegment;

/** {@code read} and {@code readv}. */
final class ReadCommand {
    private static final int UNREAD = 0xab;

    private final Console console;
    private final OpenImage image;
    private final IoCommand.Entry entry;
    private final Numbers numbers;
    private boolean machine;
    private boolean quiet;
    private boolean dump;
    private boolean vmState;
    private int pattern = -1;
    private long patternOffset = -1;
    private long patternLength = -1;

    ReadCommand(Console console, OpenImage image, IoCommand.Entry entry) {
        this.console = console;
        this.image = image;
        this.entry = entry;
        numbers = new Numbers(console);
    }

    boolean run(String[] words) {
        Arguments arguments = new Arguments(console, entry, words, "bCl:pP:qs:v");
        for (int option = arguments.next(); option != OptionScanner.END; option = arguments.next()) {
            switch (option) {
                case 'b' -> vmState = true;
                case 'l' -> patternLength = numbers.bytes(arguments.argument());
                case 's' -> patternOffset = numbers.bytes(arguments.argument());
                default -> takeCommon(arguments, option);
            }
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
        if (pattern < 0 && (patternLength >= 0 || patternOffset >= 0)) {
            throw arguments.usage();
        }
        long start = Math.max(patternOffset, 0);
        long compared = patternLength < 0 ? length - start : patternLength;
        if (compared < 0 || compared > length - start) {
            throw numbers.fail("pattern verification range exceeds end of read data");
        }
        if (vmState) {
            numbers.checkSectors("offset", offset);
            numbers.checkSectors("count", length);
        }
        return read("read failed: ", offset, length, start, compared);
    }

    boolean runVector(String[] words) {
        Arguments arguments = new Arguments(console, entry, words, "CP:qv");
        for (int option = arguments.next(); option != OptionScanner.END; option = arguments.next()) {
            takeCommon(arguments, option);
        }
        if (arguments.count() < 2) {
            throw arguments.usage();
        }
        long offset = numbers.bytes(arguments.operand(0));
        long length = numbers.total(arguments.operands(), 1);
        return read("readv failed: ", offset, length, 0, length);
    }

    private void takeCommon(Arguments arguments, int option) {
        switch (option) {
            case 'C' -> machine = true;
            case 'q' -> quiet = true;
            case 'v' -> dump = true;
            case 'P' -> pattern = numbers.pattern(arguments.argument());
            default -> {
                // -p once meant something.
            }
        }
    }

    private boolean read(String failure, long offset, long lengthBytes, long start, long compared) {
        MemorySegment buffer = image.allocate(lengthBytes, UNREAD);
        long begin = System.nanoTime();
        try {
            if (vmState) {
                StateArea.read(image.backend(), offset, buffer);
            } else {
                image.backend().read(offset, buffer);
            }
        } catch (BlockException e) {
            console.out().print(failure + e.reason() + "\n");
            return false;
        }
        long nanos = System.nanoTime() - begin;
        boolean good = pattern < 0 || Report.matches(buffer.asSlice(start, compared), pattern);
        if (!good) {
            console.out()
                    .print("Pattern verification failed at offset " + (offset + start) + ", " + compared + " bytes\n");
        }
        if (!quiet) {
            if (dump) {
                Report.dump(console.out(), buffer, offset);
            }
            Report.print(console.out(), "read", nanos, offset, lengthBytes, lengthBytes, machine);
        }
        return good;
    }
}
