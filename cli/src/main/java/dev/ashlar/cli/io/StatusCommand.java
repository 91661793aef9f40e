package dev.ashlar.cli.io;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.img.FormatFacts;
import dev.ashlar.cli.output.SizeWords;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockStatus;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.FormatInfo;
import java.util.Optional;

/** {@code alloc}, {@code map}, {@code length} and {@code info}. */
final class StatusCommand {
    private static final int SECTOR = 512;

    private final Console console;
    private final OpenImage image;

    StatusCommand(Console console, OpenImage image) {
        this.console = console;
        this.image = image;
    }

    boolean alloc(String[] words) throws BlockException {
        Numbers numbers = new Numbers(console);
        long start = numbers.bytes(words[1]);
        long count = words.length == 3 ? numbers.bytes(words[2]) : SECTOR;
        long allocated = 0;
        long offset = start;
        long end = Math.min(start + count, image.backend().lengthBytes());
        try {
            while (offset < end) {
                BlockStatus status = image.backend().allocatedHere(offset, end - offset);
                if (status.allocated()) {
                    allocated += status.lengthBytes();
                }
                offset += status.lengthBytes();
            }
        } catch (BlockException e) {
            console.out().print("is_allocated failed: " + e.reason() + "\n");
            return false;
        }
        console.out()
                .print(allocated + "/" + (offset - start) + " bytes allocated at offset "
                        + SizeWords.threeDecimals(start) + "\n");
        return true;
    }

    boolean map() throws BlockException {
        BlockBackend backend = image.backend();
        long end = backend.lengthBytes();
        long offset = 0;
        try {
            while (offset < end) {
                boolean allocated = backend.allocatedHere(offset, end - offset).allocated();
                long length = 0;
                while (offset + length < end) {
                    BlockStatus status = backend.allocatedHere(offset + length, end - offset - length);
                    if (status.allocated() != allocated) {
                        break;
                    }
                    length += status.lengthBytes();
                }
                console.out()
                        .print(SizeWords.threeDecimals(length) + " (0x" + Long.toHexString(length) + ") bytes "
                                + (allocated ? "    allocated" : "not allocated") + " at offset "
                                + SizeWords.threeDecimals(offset) + " (0x" + Long.toHexString(offset) + ")\n");
                offset += length;
            }
        } catch (BlockException e) {
            console.error("Failed to get allocation status: " + e.reason());
            return false;
        }
        return true;
    }

    boolean length() throws BlockException {
        console.out().print(SizeWords.threeDecimals(image.backend().lengthBytes()) + "\n");
        return true;
    }

    boolean info() throws BlockException {
        BlockBackend backend = image.backend();
        Optional<FormatInfo> info = backend.formatInfo();
        String format = "format name: " + backend.formatName() + "\n";
        console.out().print(format);
        BlockDriver driver = image.graph().driver(backend.formatName()).orElse(null);
        if (driver != null && driver.kind() == DriverKind.PROTOCOL) {
            console.out().print(format);
            if (!driver.needsFileName()) {
                // nothing is known of a disk without a file, and the real program ends so
                return false;
            }
        }
        console.out()
                .print("cluster size: "
                        + SizeWords.threeDecimals(info.isPresent() ? info.get().clusterSizeBytes() : 0)
                        + "\n");
        console.out().print("vm state offset: " + SizeWords.threeDecimals(vmStateOffset(info)) + "\n");
        if (info.isPresent() && !info.get().specific().isEmpty()) {
            FormatFacts.print(console.out(), info.get());
        }
        return true;
    }

    /** Where VM state starts: behind the disk, at the end of what the last L2 table covers. */
    private double vmStateOffset(Optional<FormatInfo> info) throws BlockException {
        if (info.isEmpty() || info.get().clusterSizeBytes() == 0) {
            return 0;
        }
        long cluster = info.get().clusterSizeBytes();
        long perTable = cluster * (cluster / 8);
        long tables = (image.backend().lengthBytes() + perTable - 1) / perTable;
        return (double) tables * perTable;
    }
}
