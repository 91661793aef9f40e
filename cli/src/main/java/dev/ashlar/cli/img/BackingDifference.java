package dev.ashlar.cli.img;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.ProgramExit;
import dev.ashlar.cli.output.ProgressLine;
import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockStatus;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Copies into an image what its old backing file says and a new one does not, where the image itself says nothing. */
final class BackingDifference {
    private static final int BUFFER_BYTES = 2 << 20;
    private static final int SECTOR = 512;

    private final Console console;
    private final BlockBackend image;
    private final @Nullable BlockBackend before;
    private final @Nullable BlockBackend after;
    private final MemorySegment oldBytes = Arena.ofAuto().allocate(BUFFER_BYTES, 4096);
    private final MemorySegment newBytes = Arena.ofAuto().allocate(BUFFER_BYTES, 4096);

    /** @param before the old backing file, or null for none; @param after the new one */
    BackingDifference(
            Console console, BlockBackend image, @Nullable BlockBackend before, @Nullable BlockBackend after) {
        this.console = console;
        this.image = image;
        this.before = before;
        this.after = after;
    }

    void copy(ProgressLine line) throws BlockException {
        long end = image.lengthBytes();
        for (long at = 0; at < end; ) {
            BlockStatus status;
            try {
                status = image.allocatedHere(at, Math.min(BUFFER_BYTES, end - at));
            } catch (BlockException e) {
                throw fail("error while reading image metadata: " + e.reason());
            }
            long length = status.lengthBytes();
            if (!status.allocated()) {
                boolean oldIsZero = !read(before, at, oldBytes, length, "old");
                read(after, at, newBytes, length, "new");
                copyUnequal(at, length, oldIsZero);
            }
            at += length;
            line.at(100.0 * at / end);
        }
    }

    /** Fills the buffer; zeros where the file has ended. @return whether the file has any of it */
    private boolean read(
            @Nullable BlockBackend backend, long offset, MemorySegment buffer, long lengthBytes, String which)
            throws BlockException {
        long there = backend == null ? 0 : Math.clamp(backend.lengthBytes() - offset, 0, lengthBytes);
        if (backend != null && there > 0) {
            try {
                backend.read(offset, buffer.asSlice(0, there));
            } catch (BlockException e) {
                throw fail("error while reading from " + which + " backing file");
            }
        }
        buffer.asSlice(there, lengthBytes - there).fill((byte) 0);
        return there > 0;
    }

    private void copyUnequal(long offset, long lengthBytes, boolean oldIsZero) {
        long from = -1;
        for (long done = 0; done < lengthBytes; done += SECTOR) {
            long stop = Math.min(done + SECTOR, lengthBytes);
            boolean differs = MemorySegment.mismatch(oldBytes, done, stop, newBytes, done, stop) >= 0;
            if (differs && from < 0) {
                from = done;
            } else if (!differs && from >= 0) {
                write(offset, from, done, oldIsZero);
                from = -1;
            }
        }
        if (from >= 0) {
            write(offset, from, lengthBytes, oldIsZero);
        }
    }

    private void write(long offset, long from, long to, boolean oldIsZero) {
        try {
            if (oldIsZero) {
                image.writeZeroes(offset + from, to - from, false);
                writeUnsaid(offset + from, to - from);
            } else {
                image.write(offset + from, oldBytes.asSlice(from, to - from));
            }
        } catch (BlockException e) {
            throw fail("Error while writing to COW image: " + e.reason());
        }
    }

    /** Zeros that cost an image nothing as long as nothing is below it, and which the new file would replace: they are written out. */
    private void writeUnsaid(long offset, long lengthBytes) throws BlockException {
        long end = offset + lengthBytes;
        for (long at = offset; at < end; ) {
            BlockStatus status = image.allocatedHere(at, end - at);
            long length = status.lengthBytes();
            if (!status.allocated()) {
                image.write(at, oldBytes.asSlice(0, length)); // zeros, all of them
            }
            at += length;
        }
    }

    private ProgramExit fail(String message) {
        console.error(message);
        return new ProgramExit(1);
    }
}
