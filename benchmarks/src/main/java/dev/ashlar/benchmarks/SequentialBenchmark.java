package dev.ashlar.benchmarks;

import dev.ashlar.core.BlockBackend;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Reads and writes of 1 MiB one behind the other, with direct I/O: operations per second are MiB per second. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class SequentialBenchmark {
    /** Size of the disk. */
    @Param({"4", "1024"})
    public int fileMebibytes;

    /** A place in the file that starts over at its end. */
    private long at;

    private Arena arena;
    private MemorySegment buffer;

    /** Fills the buffer. */
    @Setup
    public void allocate() {
        arena = Arena.ofShared();
        buffer = Scratch.pages(arena, Scratch.MEBIBYTE);
        buffer.copyFrom(MemorySegment.ofArray(Scratch.content(1)));
    }

    /** Frees the buffer. */
    @TearDown
    public void free() {
        arena.close();
    }

    private long next() {
        long offset = at;
        at = (at + Scratch.MEBIBYTE) % ((long) fileMebibytes * Scratch.MEBIBYTE);
        return offset;
    }

    /** An image all of which is allocated. */
    @State(Scope.Thread)
    public static class Image {
        /** Its format. */
        @Param({"raw", "qcow2"})
        public String format = "raw";

        private Disk disk;
        private BlockBackend backend;

        /** Makes the image. */
        @Setup
        public void open(SequentialBenchmark benchmark) throws IOException {
            disk = Disk.written(format, benchmark.fileMebibytes);
            backend = disk.backend();
        }

        /** Removes the image. */
        @TearDown
        public void close() throws IOException {
            disk.close();
        }
    }

    /** The JDK's way to the same bytes. */
    @State(Scope.Thread)
    public static class Channel {
        private Path file;
        private FileChannel channel;
        private ByteBuffer bytes;

        /** Fills the file. */
        @Setup
        public void open(SequentialBenchmark benchmark) throws IOException {
            file = Scratch.file(".raw");
            Scratch.fill(file, benchmark.fileMebibytes);
            channel = DirectChannels.open(file);
            bytes = benchmark.buffer.asByteBuffer();
        }

        /** Removes the file. */
        @TearDown
        public void close() throws IOException {
            channel.close();
            Files.delete(file);
        }
    }

    /** Reads through the blocking face. */
    @Benchmark
    public MemorySegment read(Image image) throws IOException {
        image.backend.read(next(), buffer);
        return buffer;
    }

    /** Writes in place through the blocking face. */
    @Benchmark
    public void write(Image image) throws IOException {
        image.backend.write(next(), buffer);
    }

    /** The baseline for {@link #read}. */
    @Benchmark
    public int readChannel(Channel target) throws IOException {
        return checked(target.channel.read(target.bytes.clear(), next()));
    }

    /** The baseline for {@link #write}. */
    @Benchmark
    public int writeChannel(Channel target) throws IOException {
        return checked(target.channel.write(target.bytes.clear(), next()));
    }

    private static int checked(int count) throws IOException {
        if (count != Scratch.MEBIBYTE) {
            throw new IOException("moved " + count + " bytes");
        }
        return count;
    }
}
