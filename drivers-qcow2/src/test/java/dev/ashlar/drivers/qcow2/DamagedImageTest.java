package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.testkit.protocol.MemoryDriver;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images whose refcounts lie: nothing is written over metadata (rule R10), and a repair frees nothing that is referred to. */
class DamagedImageTest {
    private static final int CLUSTER_BYTES = 65536;
    private static final int DATA_BYTES = 1 << 20;

    private final MemoryFile file = MemoryFile.empty("disk");
    private final MemoryDriver memory = new MemoryDriver().put(file);

    private BlockGraph graph() {
        return BlockGraph.create(List.of(memory, new Qcow2Driver()));
    }

    private void createWithData(BlockGraph graph) throws BlockException {
        graph.createImage("disk", "qcow2", Map.of("size", "" + (8 << 20)));
        try (BlockBackend disk = graph.open("disk", OpenOptions.readWrite())) {
            byte[] data = new byte[DATA_BYTES];
            java.util.Arrays.fill(data, (byte) 5);
            disk.write(0, MemorySegment.ofArray(data));
        }
    }

    /** @param firstCluster 1: refcount table and block are lost; 2: the block alone */
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void lostRefcountsNeverCostAHeaderOrATable(int firstCluster) throws BlockException {
        try (BlockGraph graph = graph()) {
            createWithData(graph);
            MemoryProtocol raw = new MemoryProtocol(file);
            raw.write(
                    (long) firstCluster * CLUSTER_BYTES,
                    MemorySegment.ofArray(new byte[(3 - firstCluster) * CLUSTER_BYTES]));
            byte[] before = file.snapshot().read(0, 5 * CLUSTER_BYTES);
            try (BlockBackend disk = graph.open("disk", OpenOptions.readWrite())) {
                MemorySegment byteOfData = MemorySegment.ofArray(new byte[] {6});
                BlockException refused =
                        assertThrows(BlockException.class, () -> disk.write(4 << 20, byteOfData), "write");
                assertEquals(Kind.CORRUPT, refused.kind(), refused.getMessage());
                assertThrows(BlockException.class, () -> disk.snapshots().create(SnapshotRequest.named("a")));
            } catch (BlockException onClose) {
                // a failed image may say so once more
                assertTrue(onClose.getMessage().length() > 0);
            }
            byte[] after = file.snapshot().read(0, 5 * CLUSTER_BYTES);
            before[79] |= 2; // the corrupt bit
            assertEquals(-1, java.util.Arrays.mismatch(before, after), "nothing but the corrupt bit has changed");
            BlockException readWrite =
                    assertThrows(BlockException.class, () -> graph.open("disk", OpenOptions.readWrite()));
            assertTrue(readWrite.getMessage().contains("corrupt"), readWrite.getMessage());
        }
    }

    @Test
    void clustersBehindTheEndOfATruncatedFileKeepTheirCounts() throws BlockException {
        try (BlockGraph graph = graph()) {
            createWithData(graph);
            new MemoryProtocol(file).truncate(6 * CLUSTER_BYTES, Preallocation.OFF);
            byte[] before = file.snapshot().read(0, 6 * CLUSTER_BYTES);
            try (BlockBackend disk = graph.open("disk", OpenOptions.readWrite().checking(true))) {
                CheckReport report = disk.check(Repair.LEAKS, line -> {});
                assertEquals(0, report.leaksFixed());
                assertTrue(report.corruptions() > 0, "references behind the end are told of");
            }
            assertEquals(-1, java.util.Arrays.mismatch(before, file.snapshot().read(0, 6 * CLUSTER_BYTES)));
        }
    }
}
