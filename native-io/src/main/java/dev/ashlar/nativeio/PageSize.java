package dev.ashlar.nativeio;

import dev.ashlar.nativeio.syscall.Platform;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/** Size of a memory page, from the auxiliary vector of the process where it can vary. */
final class PageSize {
    private static final int AT_PAGESZ = 6;
    private static final long BYTES = Platform.hasVariablePageSize() ? fromAuxiliaryVector() : 4096;

    private PageSize() {}

    static long bytes() {
        return BYTES;
    }

    private static long fromAuxiliaryVector() {
        ByteBuffer vector;
        try {
            vector = ByteBuffer.wrap(Files.readAllBytes(Path.of("/proc/self/auxv")));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        vector.order(ByteOrder.nativeOrder());
        while (vector.remaining() >= 2 * Long.BYTES) {
            long key = vector.getLong();
            long value = vector.getLong();
            if (key == AT_PAGESZ) {
                return value;
            }
        }
        throw new IllegalStateException("the kernel does not tell the page size");
    }
}
