package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.FlatOptions;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.filter.BlkdebugDriver;
import dev.ashlar.core.filter.BlkverifyDriver;
import dev.ashlar.core.filter.CopyOnReadDriver;
import dev.ashlar.core.filter.PreallocateDriver;
import dev.ashlar.core.filter.ThrottleDriver;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable;
import dev.ashlar.testkit.protocol.MemoryDriver;
import dev.ashlar.testkit.protocol.MemoryFile;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images whose file lies behind a filter, and images behind filters: the same bytes, the same snapshots, no error in a check. */
class FiltersAroundImagesTest {
    private static final int LENGTH = 3 * 1024 * 1024 + 512;

    private final MemoryDriver memory = new MemoryDriver();
    private final BlockGraph graph = BlockGraph.create(List.of(
            memory,
            new Qcow2Driver(),
            new ThrottleDriver(),
            new CopyOnReadDriver(),
            new BlkdebugDriver(),
            new BlkverifyDriver(),
            new PreallocateDriver()));

    @AfterEach
    void close() throws BlockException {
        graph.close();
    }

    private void create(String name, String clusterSize, Map<String, String> more) throws BlockException {
        memory.put(MemoryFile.mappable(name));
        Map<String, String> options = new HashMap<>(more);
        options.put("size", Integer.toString(LENGTH));
        options.put("cluster_size", clusterSize);
        graph.createImage(name, "qcow2", options);
    }

    private BlockBackend open(String keyval) throws BlockException {
        return graph.open(OpenOptions.readWrite().unmap(true).driverOptions(FlatOptions.ofKeyval(keyval)));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "driver=qcow2,file.driver=throttle,file.throttle-group=g,file.limits.iops-total=100000000,file.file.filename=disk",
                "driver=qcow2,file.driver=blkdebug,file.image.filename=disk",
                "driver=qcow2,file.driver=blkdebug,file.align=4096,file.max-transfer=65536,file.opt-write-zero=8192,"
                        + "file.image.filename=disk",
                "driver=qcow2,file.driver=blkverify,file.raw.filename=mirror,file.test.driver=memory,file.test.filename=disk",
                "driver=qcow2,file.driver=preallocate,file.prealloc-size=1M,file.file.filename=disk",
                "driver=throttle,throttle-group=g,limits.iops-total=100000000,file.driver=qcow2,file.file.filename=disk",
                "driver=copy-on-read,file.driver=qcow2,file.file.filename=disk",
                "driver=blkdebug,image.driver=qcow2,image.file.filename=disk"
            })
    void imagesKeepTheirContent(String options) throws Exception {
        for (String clusterSize : new String[] {"512", "4096", "65536"}) {
            create("disk", clusterSize, Map.of());
            create("mirror", clusterSize, Map.of());
            long seed = System.nanoTime();
            Random random = new Random(seed);
            byte[] model = new byte[LENGTH];
            byte[] saved = model;
            for (int opening = 0; opening < 3; opening++) {
                try (BlockBackend disk = open(options)) {
                    for (int i = 0; i < 40; i++) {
                        step(disk, model, random, options + " seed " + seed);
                    }
                    if (opening == 0) {
                        disk.snapshots().create(SnapshotRequest.named("s"));
                        saved = model.clone();
                    } else if (opening == 1) {
                        disk.snapshots().apply(disk.snapshots().findByName("s").orElseThrow());
                        model = saved.clone();
                    }
                    assertArrayEquals(model, read(disk, 0, LENGTH), options + " seed " + seed);
                }
            }
            try (BlockBackend plain = graph.open("disk", OpenOptions.readWrite().format("qcow2"))) {
                assertArrayEquals(model, read(plain, 0, LENGTH), options + " seed " + seed);
                assertConsistent(plain);
            }
        }
    }

    private static void step(BlockBackend disk, byte[] model, Random random, String text) throws Exception {
        int offset = random.nextInt(LENGTH);
        int length = 1 + random.nextInt(Math.min(LENGTH - offset, random.nextBoolean() ? 2000 : 200_000));
        switch (random.nextInt(6)) {
            case 0, 1, 2 -> {
                byte[] content = new byte[length];
                random.nextBytes(content);
                disk.write(offset, MemorySegment.ofArray(content));
                System.arraycopy(content, 0, model, offset, length);
            }
            case 3 -> {
                disk.writeZeroes(offset, length, random.nextBoolean());
                Arrays.fill(model, offset, offset + length, (byte) 0);
            }
            case 4 -> disk.flush();
            default ->
                assertArrayEquals(Arrays.copyOfRange(model, offset, offset + length), read(disk, offset, length), text);
        }
    }

    private static byte[] read(BlockBackend disk, long offset, int length) throws BlockException {
        byte[] content = new byte[length];
        disk.read(offset, MemorySegment.ofArray(content));
        return content;
    }

    private static void assertConsistent(BlockBackend disk) throws BlockException {
        CheckReport report = disk.check(Checkable.Repair.NONE, finding -> {});
        assertEquals(0, report.corruptions() + report.leaks() + report.checkErrors(), report.toString());
    }

    /** A layer that was read through once no longer needs what it stands on. */
    @Test
    void copyOnReadMakesAnImageIndependent() throws Exception {
        create("base", "65536", Map.of());
        byte[] content = new byte[LENGTH];
        try (BlockBackend base = open("driver=qcow2,file.filename=base")) {
            new Random(1).nextBytes(content);
            Arrays.fill(content, 1 << 20, 2 << 20, (byte) 0);
            base.write(0, MemorySegment.ofArray(content).asSlice(0, 1 << 20));
            base.write(2 << 20, MemorySegment.ofArray(content).asSlice(2 << 20));
        }
        create("top", "4096", Map.of("backing_file", "base", "backing_fmt", "qcow2"));
        byte[] newer = new byte[10_000];
        new Random(2).nextBytes(newer);
        try (BlockBackend top = open("driver=copy-on-read,file.driver=qcow2,file.file.filename=top")) {
            top.write(100_001, MemorySegment.ofArray(newer));
            System.arraycopy(newer, 0, content, 100_001, newer.length);
            assertArrayEquals(content, read(top, 0, LENGTH));
        }
        try (BlockBackend alone = open("driver=qcow2,backing=,file.filename=top")) {
            assertArrayEquals(content, read(alone, 0, LENGTH));
            assertConsistent(alone);
        }
    }

    /** A write of the guest that fails below leaves image and metadata in order. */
    @Test
    void injectedErrorsStayWhereTheyAre() throws Exception {
        create("disk", "65536", Map.of());
        try (BlockBackend disk = open("driver=qcow2,file.driver=blkdebug,file.image.filename=disk,"
                + "file.inject-error.0.event=write_aio,file.inject-error.0.errno=28,file.inject-error.0.once=on")) {
            MemorySegment content = MemorySegment.ofArray(new byte[] {1, 2, 3, 4});
            BlockException failure = assertThrows(BlockException.class, () -> disk.write(100, content));
            assertEquals(BlockException.Kind.NO_SPACE, failure.kind());
            assertTrue(failure.getMessage().startsWith("blkdebug: write at offset"), failure.getMessage());
            disk.write(100, content);
            assertArrayEquals(new byte[] {0, 1, 2, 3, 4, 0}, read(disk, 99, 6));
        }
        try (BlockBackend disk = open("driver=qcow2,file.filename=disk")) {
            assertConsistent(disk);
        }
    }
}
