package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.FlatOptions;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.VmState;
import dev.ashlar.core.filter.BlkdebugDriver;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.DriverInstance;
import dev.ashlar.core.spi.DriverKind;
import dev.ashlar.core.spi.FilterInstance;
import dev.ashlar.core.spi.OpenRequest;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.testkit.protocol.MemoryDriver;
import dev.ashlar.testkit.protocol.MemoryFile;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The points in the life of a request that an image announces for its tables: where they come, and that a failure there harms nothing. */
class TableEventsTest {
    private static final int SIZE = 1 << 20;

    private final List<BlockEvent> heard = Collections.synchronizedList(new ArrayList<>());
    private final MemoryDriver memory = new MemoryDriver();
    private final BlockGraph graph =
            BlockGraph.create(List.of(memory, new Qcow2Driver(), new BlkdebugDriver(), new EarDriver()));

    @AfterEach
    void close() throws BlockException {
        graph.close();
    }

    /** A filter that writes down what it hears. */
    private final class EarDriver implements BlockDriver {
        @Override
        public String name() {
            return "ear";
        }

        @Override
        public DriverKind kind() {
            return DriverKind.FILTER;
        }

        @Override
        public DriverInstance open(OpenRequest request) {
            ChildAccess child = request.file();
            return new FilterInstance() {
                @Override
                public ChildAccess child() {
                    return child;
                }

                @Override
                public BlockLimits limits() {
                    return child.limits();
                }

                @Override
                public boolean mustSeeMetadata() {
                    return true;
                }

                @Override
                public void event(BlockEvent event) {
                    heard.add(event);
                }

                @Override
                public void close() {}
            };
        }
    }

    private void create(String name, String clusterSize, Map<String, String> more) throws BlockException {
        memory.put(MemoryFile.mappable(name));
        Map<String, String> options = new HashMap<>(more);
        options.put("size", Integer.toString(SIZE));
        options.put("cluster_size", clusterSize);
        graph.createImage(name, "qcow2", options);
    }

    private BlockBackend open(String keyval) throws BlockException {
        return graph.open(OpenOptions.readWrite().unmap(true).driverOptions(FlatOptions.ofKeyval(keyval)));
    }

    private BlockBackend openHeard() throws BlockException {
        heard.clear();
        return open("driver=qcow2,file.driver=ear,file.file.filename=disk");
    }

    private static MemorySegment bytes(int length, int value) {
        byte[] content = new byte[length];
        Arrays.fill(content, (byte) value);
        return MemorySegment.ofArray(content);
    }

    private void assertOrder(BlockEvent... expected) {
        int at = 0;
        for (BlockEvent event : List.copyOf(heard)) {
            if (at < expected.length && event == expected[at]) {
                at++;
            }
        }
        assertEquals(expected.length, at, "after " + at + " of " + Arrays.toString(expected) + " in " + heard);
    }

    /** The first write: a cluster and a table for it, data and edges, and with the flush counts, table, then the word that names it. */
    @Test
    void aWriteIntoNewSpace() throws Exception {
        create("disk", "65536", Map.of());
        try (BlockBackend disk = openHeard()) {
            assertOrder(BlockEvent.REFTABLE_LOAD);
            heard.clear();
            disk.write(100, bytes(10, 1));
            assertOrder(BlockEvent.REFBLOCK_LOAD, BlockEvent.CLUSTER_ALLOC, BlockEvent.COW_READ, BlockEvent.WRITE_AIO);
            heard.clear();
            disk.flush();
            assertOrder(BlockEvent.REFBLOCK_UPDATE_PART, BlockEvent.L2_ALLOC_WRITE, BlockEvent.L1_UPDATE);
            disk.write(SIZE / 2, bytes(10, 1));
            heard.clear();
            disk.flush();
            assertOrder(BlockEvent.REFBLOCK_UPDATE_PART, BlockEvent.L2_UPDATE);
            assertTrue(!heard.contains(BlockEvent.L1_UPDATE), heard.toString());
        }
        try (BlockBackend disk = openHeard()) {
            heard.clear();
            disk.read(100, bytes(10, 0));
            assertOrder(BlockEvent.L2_LOAD, BlockEvent.READ_AIO);
        }
    }

    @Test
    void aWriteIntoSharedTables() throws Exception {
        create("disk", "65536", Map.of());
        try (BlockBackend disk = openHeard()) {
            disk.write(0, bytes(SIZE, 1));
            disk.snapshots().create(SnapshotRequest.named("s"));
            heard.clear();
            disk.write(0, bytes(512, 2));
            assertOrder(BlockEvent.L2_ALLOC_COW_READ, BlockEvent.COW_READ);
            disk.discard(65536, 65536);
            heard.clear();
            disk.snapshots().delete(disk.snapshots().list().get(0));
            assertOrder(BlockEvent.CLUSTER_FREE);
        }
    }

    @Test
    void growthAndStateOfAMachine() throws Exception {
        create("disk", "512", Map.of());
        try (BlockBackend disk = openHeard()) {
            heard.clear();
            disk.resize(64L << 20, Preallocation.OFF);
            assertOrder(
                    BlockEvent.L1_GROW_ALLOC_TABLE, BlockEvent.L1_GROW_WRITE_TABLE, BlockEvent.L1_GROW_ACTIVATE_TABLE);
            heard.clear();
            for (int i = 0; i < 64; i++) {
                disk.write((long) i << 20, bytes(1 << 18, 3));
            }
            disk.flush();
            assertOrder(
                    BlockEvent.REFBLOCK_ALLOC,
                    BlockEvent.REFTABLE_GROW,
                    BlockEvent.REFBLOCK_ALLOC_WRITE_BLOCKS,
                    BlockEvent.REFBLOCK_ALLOC_WRITE_TABLE,
                    BlockEvent.REFBLOCK_ALLOC_SWITCH_TABLE,
                    BlockEvent.REFBLOCK_ALLOC_WRITE,
                    BlockEvent.REFBLOCK_ALLOC_HOOKUP);
            try (VmState state = disk.root().openVmState()) {
                state.write(0, bytes(512, 4));
                assertOrder(BlockEvent.VMSTATE_SAVE);
                state.read(0, bytes(512, 0));
                assertOrder(BlockEvent.VMSTATE_LOAD);
            }
        }
    }

    @Test
    void readsThatReachTheBackingFile() throws Exception {
        create("base", "65536", Map.of());
        create("disk", "65536", Map.of("backing_file", "base", "backing_fmt", "qcow2"));
        try (BlockBackend disk = openHeard()) {
            disk.read(0, bytes(512, 0));
            assertOrder(BlockEvent.READ_BACKING_AIO);
        }
    }

    /** Whatever a request was about when the file failed once: what was flushed before is there, and the image is in order but for leaks. */
    @ParameterizedTest
    @EnumSource(value = BlockEvent.class, mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    void anErrorAtAnyEventLeavesAnImageInOrder(BlockEvent event) throws Exception {
        for (String clusterSize : new String[] {"512", "65536"}) {
            create("disk", clusterSize, Map.of());
            try (BlockBackend disk = open("driver=qcow2,file.filename=disk")) {
                disk.write(0, bytes(SIZE / 2, 1));
                disk.snapshots().create(SnapshotRequest.named("s"));
            }
            work(event);
            try (BlockBackend disk = open("driver=qcow2,file.filename=disk")) {
                byte[] kept = new byte[SIZE / 4];
                disk.read(SIZE / 4, MemorySegment.ofArray(kept));
                for (byte b : kept) {
                    assertEquals(1, b, event.label());
                }
                CheckReport report = disk.check(Checkable.Repair.NONE, finding -> {});
                assertEquals(0, report.corruptions() + report.checkErrors(), event.label() + ": " + report);
            }
        }
    }

    private void work(BlockEvent event) throws BlockException {
        BlockBackend disk = null;
        try {
            disk = open("driver=qcow2,file.driver=blkdebug,file.image.filename=disk,file.inject-error.0.event="
                    + event.label() + ",file.inject-error.0.once=on");
            disk.write(0, bytes(1000, 2));
            disk.write(SIZE * 3 / 4, bytes(100_000, 2));
            disk.flush();
            disk.snapshots().create(SnapshotRequest.named("t"));
            disk.resize(8L << 20, Preallocation.OFF);
            disk.write(4 << 20, bytes(1 << 20, 2));
            disk.snapshots().delete(disk.snapshots().findByName("t").orElseThrow());
        } catch (BlockException e) {
            assertTrue(e.getMessage() != null && !e.getMessage().isEmpty());
        } finally {
            if (disk != null) {
                closeQuietly(disk);
            }
        }
    }

    private static void closeQuietly(BlockBackend disk) {
        try {
            disk.close();
        } catch (BlockException e) {
            // An image that failed does not end well.
            assertTrue(e.getMessage() != null);
        }
    }
}
