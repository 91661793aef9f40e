package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.bitmap.DirtyBitmap;
import dev.ashlar.core.bitmap.NodeBitmaps;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.ProtocolInstance;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.MemoryDriver;
import dev.ashlar.testkit.protocol.MemoryFile;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** One qcow2 image in memory, opened and closed again and again. */
final class BitmapDisk implements AutoCloseable {
    static final int SECTOR = 512;

    private final MemoryDriver memory;
    private BlockGraph graph;

    BitmapDisk(UnaryOperator<ProtocolInstance> wrapper) {
        memory = new MemoryDriver(MemoryFile::empty, wrapper);
        graph = BlockGraph.create(List.of(memory, new Qcow2Driver()));
    }

    BitmapDisk() {
        this(UnaryOperator.identity());
    }

    /** A disk with that content of the file. */
    BitmapDisk(UnaryOperator<ProtocolInstance> wrapper, SparseBytes content) {
        this(wrapper);
        memory.put(MemoryFile.of("disk", content));
    }

    BitmapDisk create(long sizeBytes, Map<String, String> options) throws BlockException {
        Map<String, String> all = new java.util.HashMap<>(options);
        all.put("size", Long.toString(sizeBytes));
        graph.createImage("memory:disk", "qcow2", all);
        return this;
    }

    BlockBackend open() throws BlockException {
        return graph.open(
                "disk", OpenOptions.readWrite().format("qcow2").unmap(true).backing(false));
    }

    BlockBackend openReading() throws BlockException {
        return graph.open("disk", OpenOptions.readOnly().format("qcow2").backing(false));
    }

    void setReadOnly(BlockBackend backend, boolean readOnly) throws BlockException {
        graph.transaction().setReadOnly(backend.root(), readOnly).commit();
    }

    SparseBytes content() {
        return memory.file("disk").snapshot();
    }

    void replace(SparseBytes content) {
        memory.put(MemoryFile.of("disk", content));
    }

    /** Drops all that is open without closing it well. */
    void forget() {
        graph = BlockGraph.create(List.of(memory, new Qcow2Driver()));
    }

    @Override
    public void close() throws BlockException {
        graph.close();
    }

    static void write(BlockBackend backend, long offset, int length, int value) throws BlockException {
        byte[] bytes = new byte[length];
        java.util.Arrays.fill(bytes, (byte) value);
        backend.write(offset, MemorySegment.ofArray(bytes));
    }

    static byte[] read(BlockBackend backend) throws BlockException {
        byte[] bytes = new byte[(int) backend.lengthBytes()];
        backend.read(0, MemorySegment.ofArray(bytes));
        return bytes;
    }

    /** Dirty sectors. */
    static BitSet sectors(DirtyBitmap bitmap) throws BlockException {
        BitSet sectors = new BitSet();
        bitmap.forEachDirtyRange(
                (offset, length) -> sectors.set((int) (offset / SECTOR), (int) ((offset + length - 1) / SECTOR) + 1));
        return sectors;
    }

    static List<String> names(BlockBackend backend) {
        NodeBitmaps bitmaps = backend.root().bitmaps();
        List<String> names = new ArrayList<>();
        for (DirtyBitmap bitmap : bitmaps.list()) {
            names.add(String.valueOf(bitmap.name()));
        }
        return names;
    }

    /** A check must find no corruption and, where they are not allowed, no leak. */
    static void requireSound(BlockBackend backend, boolean leaksAllowed) throws BlockException {
        List<String> findings = new ArrayList<>();
        CheckReport report = backend.check(Repair.NONE, findings::add);
        assertEquals(0, report.corruptions() + report.checkErrors(), () -> "check: " + findings);
        if (!leaksAllowed) {
            assertEquals(0, report.leaks(), () -> "check: " + findings);
        }
    }
}
