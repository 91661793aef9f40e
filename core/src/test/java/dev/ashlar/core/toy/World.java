package dev.ashlar.core.toy;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import java.util.List;

/** A graph with the toy drivers, for one test. */
public final class World implements AutoCloseable {
    public final MemoryDriver memory = new MemoryDriver();
    public final ToyDriver toy = new ToyDriver();
    public final BlockGraph graph =
            BlockGraph.create(List.of(memory, toy, new RawToyDriver(false), new RawToyDriver(true)));

    /** A toy image over an empty file. */
    public ToyImage toyImage(String name, int clusterBytes, long lengthBytes) {
        memory.disk(name, 0);
        return toy.image(name, clusterBytes, lengthBytes);
    }

    public MemoryDisk disk(String name) {
        return memory.disks.get(name);
    }

    public BlockBackend open(String name, String format) throws BlockException {
        return graph.open(name, OpenOptions.readWrite().format(format).unmap(true));
    }

    @Override
    public void close() throws BlockException {
        graph.close();
    }
}
