package dev.ashlar.core.filter;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.FlatOptions;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.toy.MemoryDriver;
import dev.ashlar.core.toy.RawToyDriver;
import dev.ashlar.core.toy.ToyDriver;
import dev.ashlar.core.toy.ToyImage;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** A graph with the toy drivers and all filters, for one test. */
final class FilterWorld implements AutoCloseable {
    final MemoryDriver memory = new MemoryDriver();
    final ToyDriver toy = new ToyDriver();
    final FakeClock clock = new FakeClock();
    final ThrottleDriver throttle = new ThrottleDriver(clock);
    final BlockGraph graph = BlockGraph.create(List.of(
            memory,
            toy,
            new RawToyDriver(false),
            throttle,
            new CopyOnReadDriver(),
            new BlkdebugDriver(),
            new BlkverifyDriver(),
            new PreallocateDriver(),
            new NullDriver(),
            new NullAioDriver()));

    BlockBackend open(String keyval) throws BlockException {
        return graph.open(OpenOptions.readWrite().unmap(true).driverOptions(FlatOptions.ofKeyval(keyval)));
    }

    BlockBackend openFile(String fileName, String format) throws BlockException {
        return graph.open(fileName, OpenOptions.readWrite().unmap(true).format(format));
    }

    /** A toy image over an empty file, with a raw backing file of that content. */
    ToyImage overlay(String name, int clusterBytes, byte[] below) {
        memory.disk(name + ".base", below.length).write(0, MemorySegment.ofArray(below));
        memory.disk(name, 0);
        ToyImage image = toy.image(name, clusterBytes, below.length);
        image.backing = new ImageReference(name + ".base", "raw");
        return image;
    }

    static byte[] read(BlockBackend backend, long offset, int length) throws BlockException {
        byte[] content = new byte[length];
        backend.read(offset, MemorySegment.ofArray(content));
        return content;
    }

    static void write(BlockBackend backend, long offset, byte[] content) throws BlockException {
        backend.write(offset, MemorySegment.ofArray(content));
    }

    static byte[] pattern(int length, int seed) {
        byte[] content = new byte[length];
        new java.util.Random(seed).nextBytes(content);
        return content;
    }

    @Override
    public void close() throws BlockException {
        graph.close();
    }
}
