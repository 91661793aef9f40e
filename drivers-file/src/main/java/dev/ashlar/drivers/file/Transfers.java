package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import dev.ashlar.nativeio.AlignedBuffers;
import dev.ashlar.nativeio.LinuxFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Whole transfers to and from any memory: on the Java heap, or confined to a virtual thread, it goes through a copy. */
final class Transfers {
    private Transfers() {}

    /** Reads until the buffer is full or the file ends. Returns the number of bytes read. */
    static long read(LinuxFile file, long offset, MemorySegment destination) throws BlockException {
        if (isDirectlyUsable(destination)) {
            return BlockingCalls.run(() -> Failures.check("pread", file.preadFully(destination, offset), file.path()));
        }
        if (destination.byteSize() == 0) {
            return 0;
        }
        try (Arena arena = Arena.ofShared()) {
            MemorySegment copy = AlignedBuffers.allocate(arena, destination.byteSize());
            long length = read(file, offset, copy);
            MemorySegment.copy(copy, 0, destination, 0, length);
            return length;
        }
    }

    /** Writes the whole buffer. */
    static void write(LinuxFile file, long offset, MemorySegment source) throws BlockException {
        if (isDirectlyUsable(source)) {
            BlockingCalls.run(() -> Failures.check("pwrite", file.pwriteFully(source, offset), file.path()));
            return;
        }
        if (source.byteSize() == 0) {
            return;
        }
        try (Arena arena = Arena.ofShared()) {
            MemorySegment copy = AlignedBuffers.allocate(arena, source.byteSize());
            copy.copyFrom(source);
            write(file, offset, copy);
        }
    }

    private static boolean isDirectlyUsable(MemorySegment buffer) {
        return buffer.isNative() && (!Thread.currentThread().isVirtual() || BlockingCalls.canMove(buffer));
    }
}
