package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.snapshot.Snapshots;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.ProtocolInstance;
import dev.ashlar.testkit.protocol.FaultProtocol;
import dev.ashlar.testkit.protocol.MemoryDriver;
import dev.ashlar.testkit.protocol.MemoryFile;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.UnaryOperator;

/** Real qcow2 images in memory, their protocols wrapped so that they can fail, and a graph that can be closed and made anew. */
final class Disks implements AutoCloseable {
    static final int SIZE = 64 << 10;

    final Map<String, FaultProtocol> faults = new HashMap<>();
    final MemoryDriver memory = new MemoryDriver(MemoryFile::empty, this::wrap);
    final ShapeDriver plain = new ShapeDriver(false);
    final ShapeDriver pass = new ShapeDriver(true);
    private final UnaryOperator<ProtocolInstance> outer;
    BlockGraph graph = newGraph();

    Disks() {
        this(UnaryOperator.identity());
    }

    /** @param outer goes around each protocol that is opened, outside of the one with faults */
    Disks(UnaryOperator<ProtocolInstance> outer) {
        this.outer = outer;
    }

    private ProtocolInstance wrap(ProtocolInstance protocol) {
        FaultProtocol fault = new FaultProtocol(protocol);
        faults.put(protocol.fileName(), fault);
        return outer.apply(fault);
    }

    private BlockGraph newGraph() {
        return BlockGraph.create(List.of(memory, new Qcow2Driver(), plain, pass));
    }

    Disks create(String name) throws BlockException {
        graph.createImage("memory:" + name, "qcow2", Map.of("size", Integer.toString(SIZE), "cluster_size", "4096"));
        return this;
    }

    BlockBackend open(String name) throws BlockException {
        return graph.open(name, OpenOptions.readWrite().format("qcow2").nodeName(name));
    }

    BlockBackend openReading(String name) throws BlockException {
        return graph.open(name, OpenOptions.readOnly().format("qcow2").nodeName(name));
    }

    /** Opens nodes above each other: drivers from the top to the one over the file. */
    BlockBackend openShape(String fileName, String... drivers) throws BlockException {
        Map<String, String> options = new HashMap<>();
        StringBuilder prefix = new StringBuilder();
        for (String driver : drivers) {
            options.put(prefix + "driver", driver);
            prefix.append("file.");
        }
        options.put(prefix + "driver", "memory");
        options.put(prefix + "filename", fileName);
        return graph.open("", OpenOptions.readWrite().driverOptions(options).nodeName("top"));
    }

    static SnapshotRequest request(String id, String name, long vmStateBytes) {
        return new SnapshotRequest(id, name, vmStateBytes, 1_700_000_000, 123, 456, OptionalLong.empty());
    }

    static SnapshotInfo create(Snapshots snapshots, String name) throws BlockException {
        return snapshots.create(request("", name, 0));
    }

    static void fill(BlockBackend backend, int value) throws BlockException {
        byte[] bytes = new byte[SIZE];
        Arrays.fill(bytes, (byte) value);
        backend.write(0, MemorySegment.ofArray(bytes));
    }

    static byte[] read(BlockBackend backend) throws BlockException {
        byte[] bytes = new byte[(int) backend.lengthBytes()];
        backend.read(0, MemorySegment.ofArray(bytes));
        return bytes;
    }

    /** The one value that the whole disk has. */
    static int value(BlockBackend backend) throws BlockException {
        byte[] bytes = read(backend);
        for (byte b : bytes) {
            assertEquals(bytes[0], b, "a mixture");
        }
        return bytes[0];
    }

    static List<String> names(BlockBackend backend) throws BlockException {
        List<String> names = new ArrayList<>();
        for (SnapshotInfo snapshot : backend.snapshots().list()) {
            names.add(snapshot.name());
        }
        return names;
    }

    /** No corruption; leaks are what a failure may leave. */
    static void requireSound(BlockBackend backend, boolean leaksAllowed) throws BlockException {
        List<String> findings = new ArrayList<>();
        CheckReport report = backend.check(Repair.NONE, findings::add);
        assertEquals(0, report.corruptions() + report.checkErrors(), () -> "check: " + findings);
        if (!leaksAllowed) {
            assertEquals(0, report.leaks(), () -> "check: " + findings);
        }
    }

    /** As after the end of the program: what could not be closed well is closed anyhow. */
    void restart() {
        for (FaultProtocol fault : faults.values()) {
            fault.heal();
        }
        try {
            graph.close();
        } catch (BlockException e) {
            // a disk that failed can't be closed well
        }
        graph = newGraph();
    }

    @Override
    public void close() throws BlockException {
        graph.close();
    }
}
