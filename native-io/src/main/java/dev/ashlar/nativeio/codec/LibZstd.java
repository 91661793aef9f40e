package dev.ashlar.nativeio.codec;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/**
 * The functions of libzstd that work on whole frames. A result is a size, or an error as a small negative number.
 *
 * @see <a href="https://facebook.github.io/zstd/zstd_manual.html">zstd manual</a>
 */
final class LibZstd {
    private static final int DEFAULT_LEVEL = 3;
    private static final long MAX_ERROR = 120;

    private static final @Nullable CLibrary LIBRARY = CLibrary.open(
            "libzstd.so.1",
            "ZSTD_createCCtx",
            "ZSTD_freeCCtx",
            "ZSTD_compressCCtx",
            "ZSTD_compressBound",
            "ZSTD_createDCtx",
            "ZSTD_freeDCtx",
            "ZSTD_decompressDCtx",
            "ZSTD_findFrameCompressedSize");

    private LibZstd() {}

    static boolean isPresent() {
        return LIBRARY != null;
    }

    private static MethodHandle bind(String name) {
        if (LIBRARY == null) {
            throw new UnsupportedOperationException("libzstd.so.1 is missing");
        }
        return LIBRARY.function(name);
    }

    /** Whether a result is an error. */
    static boolean isError(long result) {
        return result < 0 && result >= -MAX_ERROR;
    }

    private static MemorySegment context(MethodHandle create) {
        long address = CLibrary.call(create, MemorySegment.NULL, 0, 0, 0, 0);
        if (address == 0) {
            throw new OutOfMemoryError("libzstd has no memory for a context");
        }
        return MemorySegment.ofAddress(address);
    }

    /** Binds the functions that compress. */
    static final class Compress {
        private static final MethodHandle CREATE = bind("ZSTD_createCCtx");
        private static final MethodHandle FREE = bind("ZSTD_freeCCtx");
        private static final MethodHandle COMPRESS = bind("ZSTD_compressCCtx");
        private static final MethodHandle BOUND = bind("ZSTD_compressBound");

        private Compress() {}

        static MemorySegment open() {
            return context(CREATE);
        }

        /** Length of the longest frame that a block of this length can become, in bytes. */
        static long bound(long blockBytes) {
            // its one argument is a length, where the common shape of the calls has an address
            return CLibrary.call(BOUND, MemorySegment.ofAddress(blockBytes), 0, 0, 0, 0);
        }

        static long run(MemorySegment context, MemorySegment in, long inBytes, MemorySegment out, long outBytes) {
            return CLibrary.call(
                    COMPRESS, context, out.address(), outBytes, in.address(), inBytes, DEFAULT_LEVEL, 0, 0);
        }

        static void close(MemorySegment context) {
            CLibrary.call(FREE, context, 0, 0, 0, 0);
        }
    }

    /** Binds the functions that decompress. */
    static final class Decompress {
        private static final MethodHandle CREATE = bind("ZSTD_createDCtx");
        private static final MethodHandle FREE = bind("ZSTD_freeDCtx");
        private static final MethodHandle DECOMPRESS = bind("ZSTD_decompressDCtx");
        private static final MethodHandle FIND_SIZE = bind("ZSTD_findFrameCompressedSize");

        private Decompress() {}

        static MemorySegment open() {
            return context(CREATE);
        }

        /** Length of the frame at the start of the input. */
        static long frameBytes(MemorySegment in, long inBytes) {
            return CLibrary.call(FIND_SIZE, in, inBytes, 0, 0, 0);
        }

        /** Straight into the output, which serves as the window: a frame's header can't ask for memory. */
        static long run(MemorySegment context, MemorySegment in, long inBytes, MemorySegment out, long outBytes) {
            return CLibrary.call(DECOMPRESS, context, out.address(), outBytes, in.address(), inBytes);
        }

        static void close(MemorySegment context) {
            CLibrary.call(FREE, context, 0, 0, 0, 0);
        }
    }
}
