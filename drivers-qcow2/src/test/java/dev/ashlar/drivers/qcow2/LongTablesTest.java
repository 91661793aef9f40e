package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.testkit.protocol.MemoryDriver;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** L1 tables longer than the part of the file that one refcount block counts: a place is found for them without leaving most of the file unused. */
class LongTablesTest {
    private final BlockGraph graph = BlockGraph.create(List.of(new MemoryDriver(), new Qcow2Driver()));

    @ParameterizedTest(name = "refcount_bits={0}, {1} MiB")
    @CsvSource({"64, 200", "64, 1024", "16, 2048", "1, 4096"})
    void aDiskOfSmallClustersGrows(int refcountBits, long mebibytes) throws Exception {
        long size = mebibytes << 20;
        graph.createImage(
                "memory:disk",
                "qcow2",
                Map.of("size", "1048576", "cluster_size", "512", "refcount_bits", Integer.toString(refcountBits)));
        try (BlockBackend disk =
                graph.open("memory:disk", OpenOptions.readWrite().format("qcow2"))) {
            disk.resize(size, Preallocation.OFF);
            byte[] last = {7};
            disk.write(size - 1, MemorySegment.ofArray(last));
            disk.flush();
            if (refcountBits > 1) {
                SnapshotInfo before = disk.snapshots().create(SnapshotRequest.named("before"));
                disk.write(size - 1, MemorySegment.ofArray(new byte[] {8}));
                disk.snapshots().apply(before);
            }
            byte[] read = new byte[1];
            disk.read(size - 1, MemorySegment.ofArray(read));
            assertEquals(7, read[0]);
            Disks.requireSound(disk, false);
            long l1Bytes = size / (64 * 512) * 8;
            long fileBytes = disk.root().children().get(0).node().lengthBytes();
            assertTrue(fileBytes < 8 * l1Bytes + (4 << 20), fileBytes + " bytes for tables of " + l1Bytes);
        }
    }
}
