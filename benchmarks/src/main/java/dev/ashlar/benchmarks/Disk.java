package dev.ashlar.benchmarks;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** A scratch image, opened for writing with direct I/O through the drivers that every user gets. Deleted when it is closed. */
final class Disk implements AutoCloseable {
    private final Path file;
    private final BlockGraph graph;
    private final BlockBackend backend;

    private Disk(Path file, BlockGraph graph, BlockBackend backend) {
        this.file = file;
        this.graph = graph;
        this.backend = backend;
    }

    /** Takes over an image that exists. */
    static Disk open(Path file, String format) throws IOException {
        BlockGraph graph = BlockGraph.create();
        try {
            var options = OpenOptions.readWrite().direct(true).unmap(true).format(format);
            return new Disk(file, graph, graph.open(file.toString(), options));
        } catch (IOException | RuntimeException e) {
            graph.close();
            throw e;
        }
    }

    /** A new image in which nothing is written. */
    static Disk empty(String format, long lengthBytes) throws IOException {
        Path file = Scratch.file("." + format);
        try (BlockGraph graph = BlockGraph.create()) {
            graph.createImage(file.toString(), format, Map.of("size", Long.toString(lengthBytes)));
        }
        return open(file, format);
    }

    /** A new image in which every block is written and all metadata is on disk. */
    static Disk written(String format, int mebibytes) throws IOException {
        Disk disk = empty(format, (long) mebibytes * Scratch.MEBIBYTE);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment chunk = Scratch.pages(arena, Scratch.MEBIBYTE);
            for (int i = 0; i < mebibytes; i++) {
                chunk.copyFrom(MemorySegment.ofArray(Scratch.content(i)));
                disk.backend.write((long) i * Scratch.MEBIBYTE, chunk);
            }
            disk.backend.flush();
        } catch (IOException | RuntimeException e) {
            disk.close();
            throw e;
        }
        return disk;
    }

    BlockBackend backend() {
        return backend;
    }

    @Override
    public void close() throws IOException {
        try {
            backend.close();
            graph.close();
        } finally {
            Files.delete(file);
        }
    }
}
