package dev.ashlar.cli.io;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** {@code aio_read} and {@code aio_write}: they succeed once the request is on its way. */
final class AsyncCommand {
    private static final int UNREAD = 0xab;
    private static final int DEFAULT_PATTERN = 0xcd;

    private final Console console;
    private final OpenImage image;
    private final IoCommand.Entry entry;
    private final Numbers numbers;
    private boolean machine;
    private boolean quiet;
    private boolean dump;
    private boolean forced;
    private boolean zeroes;
    private boolean unmap;
    private boolean injected;
    private int pattern = -1;

    AsyncCommand(Console console, OpenImage image, IoCommand.Entry entry) {
        this.console = console;
        this.image = image;
        this.entry = entry;
        numbers = new Numbers(console);
    }

    boolean read(String[] words) {
        Arguments arguments = parse(words, "CP:iqv");
        if (injected) {
            console.out().print("injecting invalid read request\n");
            return true;
        }
        if (arguments.count() < 2) {
            throw arguments.usage();
        }
        long offset = numbers.bytes(arguments.operand(0));
        long length = numbers.total(arguments.operands(), 1);
        image.requests().start(new Read(offset, image.allocate(length, UNREAD)));
        return true;
    }

    boolean write(String[] words) {
        Arguments arguments = parse(words, "CfiqP:uz");
        if (injected) {
            console.out().print("injecting invalid write request\n");
            return true;
        }
        if (arguments.count() < 2) {
            throw arguments.usage();
        }
        if (zeroes && arguments.count() != 2) {
            throw numbers.fail("-z supports only a single length parameter");
        }
        if (unmap && !zeroes) {
            throw numbers.fail("-u requires -z to be specified");
        }
        long offset = numbers.bytes(arguments.operand(0));
        long length = zeroes ? numbers.bytes(arguments.operand(1)) : numbers.total(arguments.operands(), 1);
        MemorySegment data = zeroes ? null : image.allocate(length, pattern < 0 ? DEFAULT_PATTERN : pattern);
        image.requests().start(new Write(offset, length, data));
        return true;
    }

    private Arguments parse(String[] words, String letters) {
        Arguments arguments = new Arguments(console, entry, words, letters);
        for (int option = arguments.next(); option != OptionScanner.END; option = arguments.next()) {
            switch (option) {
                case 'C' -> machine = true;
                case 'f' -> forced = true;
                case 'q' -> quiet = true;
                case 'u' -> unmap = true;
                case 'v' -> dump = true;
                case 'z' -> zeroes = true;
                case 'P' -> pattern = numbers.pattern(arguments.argument());
                default -> {
                    // -i ends the reading of options: the request is only pretended.
                    injected = true;
                    return arguments;
                }
            }
        }
        return arguments;
    }

    private final class Read implements AsyncRequests.Request {
        private final BlockBackend backend = image.backend();
        private final long offset;
        private final MemorySegment buffer;

        Read(long offset, MemorySegment buffer) {
            this.offset = offset;
            this.buffer = buffer;
        }

        @Override
        public void run() throws BlockException {
            backend.read(offset, buffer);
        }

        @Override
        public void report(Console to, @Nullable BlockException failure, long nanos) {
            if (failure != null) {
                to.out().print("readv failed: " + failure.reason() + "\n");
                return;
            }
            long length = buffer.byteSize();
            if (pattern >= 0 && !Report.matches(buffer, pattern)) {
                to.out().print("Pattern verification failed at offset " + offset + ", " + length + " bytes\n");
            }
            if (quiet) {
                return;
            }
            if (dump) {
                Report.dump(to.out(), buffer, offset);
            }
            Report.print(to.out(), "read", nanos, offset, length, length, machine);
        }
    }

    private final class Write implements AsyncRequests.Request {
        private final BlockBackend backend = image.backend();
        private final boolean flushed = forced || image.isWritethrough();
        private final long offset;
        private final long lengthBytes;
        private final @Nullable MemorySegment data;

        Write(long offset, long lengthBytes, @Nullable MemorySegment data) {
            this.offset = offset;
            this.lengthBytes = lengthBytes;
            this.data = data;
        }

        @Override
        public void run() throws BlockException {
            if (data == null) {
                backend.writeZeroes(offset, lengthBytes, unmap);
            } else {
                backend.write(offset, data);
            }
            if (flushed) {
                backend.flush();
            }
        }

        @Override
        public void report(Console to, @Nullable BlockException failure, long nanos) {
            if (failure == null && !flushed) {
                image.changed();
            }
            if (failure != null) {
                to.out().print("aio_write failed: " + failure.reason() + "\n");
            } else if (!quiet) {
                Report.print(to.out(), "wrote", nanos, offset, lengthBytes, lengthBytes, machine);
            }
        }
    }
}
