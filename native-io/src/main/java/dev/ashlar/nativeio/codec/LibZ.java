package dev.ashlar.nativeio.codec;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/**
 * The functions of libz and its stream structure.
 *
 * <pre>
 *    0 next_in    8 avail_in (4)   16 total_in
 *   24 next_out  32 avail_out (4)  40 total_out
 *   48 msg, state, zalloc, zfree, opaque, data_type, adler, reserved     112 bytes
 * </pre>
 *
 * @see <a href="https://zlib.net/manual.html">zlib manual</a>
 */
final class LibZ {
    static final int STREAM_END = 1;

    private static final int FINISH = 4;
    private static final int METHOD_DEFLATED = 8;
    private static final int DEFAULT_LEVEL = -1;
    private static final int STREAM_BYTES = 112;
    private static final long NEXT_IN = 0;
    private static final long AVAIL_IN = 8;
    private static final long NEXT_OUT = 24;
    private static final long AVAIL_OUT = 32;

    private static final @Nullable CLibrary LIBRARY = CLibrary.open(
            "libz.so.1",
            "deflateInit2_",
            "deflate",
            "deflateReset",
            "deflateEnd",
            "inflateInit2_",
            "inflate",
            "inflateReset",
            "inflateEnd");

    private LibZ() {}

    static boolean isPresent() {
        return LIBRARY != null;
    }

    private static MethodHandle bind(String name) {
        if (LIBRARY == null) {
            throw new UnsupportedOperationException("libz.so.1 is missing");
        }
        return LIBRARY.function(name);
    }

    /** Version of the interface that this code was written for; the library looks at its first digit. */
    private static final class Version {
        static final MemorySegment TEXT = Arena.global().allocateFrom("1.2.11");
    }

    /** A stream, bound to memory of its owner. */
    static final class Stream {
        private final MemorySegment memory = Arena.ofAuto().allocate(STREAM_BYTES, 8);

        private void set(MemorySegment source, long sourceBytes, MemorySegment destination, long destinationBytes) {
            memory.set(ValueLayout.JAVA_LONG, NEXT_IN, source.address());
            memory.set(ValueLayout.JAVA_INT, AVAIL_IN, (int) sourceBytes);
            memory.set(ValueLayout.JAVA_LONG, NEXT_OUT, destination.address());
            memory.set(ValueLayout.JAVA_INT, AVAIL_OUT, (int) destinationBytes);
        }

        /** Bytes of the destination that are not filled. */
        int room() {
            return memory.get(ValueLayout.JAVA_INT, AVAIL_OUT);
        }
    }

    /** Binds the functions that compress; loaded when the first block is. */
    static final class Deflate {
        private static final MethodHandle INIT = bind("deflateInit2_");
        private static final MethodHandle DEFLATE = bind("deflate");
        private static final MethodHandle RESET = bind("deflateReset");
        private static final MethodHandle END = bind("deflateEnd");

        private Deflate() {}

        static Stream open(int windowBits, int memoryLevel) {
            Stream stream = new Stream();
            int code = (int) CLibrary.call(
                    INIT,
                    stream.memory,
                    DEFAULT_LEVEL,
                    METHOD_DEFLATED,
                    windowBits,
                    memoryLevel,
                    0,
                    Version.TEXT.address(),
                    STREAM_BYTES);
            requireOpened(code);
            return stream;
        }

        /** Compresses all at once and makes ready for the next block. @return a code of libz */
        static int run(Stream stream, MemorySegment source, long sourceBytes, MemorySegment out, long outBytes) {
            stream.set(source, sourceBytes, out, outBytes);
            int code = (int) CLibrary.call(DEFLATE, stream.memory, FINISH, 0, 0, 0);
            CLibrary.call(RESET, stream.memory, 0, 0, 0, 0);
            return code;
        }

        static void close(Stream stream) {
            CLibrary.call(END, stream.memory, 0, 0, 0, 0);
        }
    }

    /** Binds the functions that decompress. */
    static final class Inflate {
        private static final MethodHandle INIT = bind("inflateInit2_");
        private static final MethodHandle INFLATE = bind("inflate");
        private static final MethodHandle RESET = bind("inflateReset");
        private static final MethodHandle END = bind("inflateEnd");

        private Inflate() {}

        static Stream open(int windowBits) {
            Stream stream = new Stream();
            int code = (int) CLibrary.call(INIT, stream.memory, windowBits, Version.TEXT.address(), STREAM_BYTES, 0);
            requireOpened(code);
            return stream;
        }

        /** Decompresses all at once and makes ready for the next block. @return a code of libz */
        static int run(Stream stream, MemorySegment source, long sourceBytes, MemorySegment out, long outBytes) {
            stream.set(source, sourceBytes, out, outBytes);
            int code = (int) CLibrary.call(INFLATE, stream.memory, FINISH, 0, 0, 0);
            CLibrary.call(RESET, stream.memory, 0, 0, 0, 0);
            return code;
        }

        static void close(Stream stream) {
            CLibrary.call(END, stream.memory, 0, 0, 0, 0);
        }
    }

    private static void requireOpened(int code) {
        if (code != 0) {
            throw new OutOfMemoryError("libz can't start, code " + code);
        }
    }
}
