package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.testkit.protocol.MemoryDriver;
import dev.ashlar.testkit.protocol.MemoryFile;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Many threads on one image: each owns every n-th sector and knows what must stand there, so neighbours share clusters all the time, while others flush, take
 * snapshots and delete them.
 */
class ConcurrentRequestsTest {
    private static final int THREADS = 6;
    private static final int SECTOR_BYTES = 512;
    private static final int DISK_BYTES = 1 << 20;

    @ParameterizedTest
    @CsvSource({"512, 1, false", "4096, 2, true", "65536, 3, true", "4096, 4, false"})
    @Timeout(value = 60, unit = TimeUnit.SECONDS)
    void neighboursInOneClusterDoNotLoseEachOthersBytes(int clusterBytes, long seed, boolean mappable)
            throws Exception {
        System.out.println("seed " + seed);
        MemoryDriver memory = new MemoryDriver();
        memory.put(mappable ? MemoryFile.mappable("disk") : MemoryFile.empty("disk"));
        byte[] model = new byte[DISK_BYTES];
        try (BlockGraph graph = BlockGraph.create(List.of(memory, new Qcow2Driver()))) {
            graph.createImage(
                    "disk", "qcow2", Map.of("size", "" + DISK_BYTES, "cluster_size", Integer.toString(clusterBytes)));
            try (BlockBackend disk =
                    graph.open("disk", OpenOptions.readWrite().format("qcow2").unmap(true))) {
                AtomicReference<Throwable> failure = new AtomicReference<>();
                List<Thread> threads = new ArrayList<>();
                for (int i = 0; i < THREADS; i++) {
                    int owner = i;
                    threads.add(Thread.ofVirtual()
                            .start(() -> run(failure, () -> write(disk, model, owner, new Random(seed + owner)))));
                }
                threads.add(Thread.ofPlatform().start(() -> run(failure, () -> flushAndSnapshot(disk, seed))));
                for (Thread thread : threads) {
                    thread.join();
                }
                assertNull(failure.get(), () -> "first failure: " + failure.get());
                assertArrayEquals(model, content(disk));
                disk.flush();
                disk.flush();
                assertClean(disk);
            }
            try (BlockBackend disk = graph.open("disk", OpenOptions.readWrite().format("qcow2"))) {
                assertArrayEquals(model, content(disk), "after reopening");
                assertClean(disk);
            }
        }
    }

    private static void write(BlockBackend disk, byte[] model, int owner, Random random) throws BlockException {
        int sectors = DISK_BYTES / SECTOR_BYTES;
        byte[] bytes = new byte[SECTOR_BYTES];
        for (int i = 0; i < 400; i++) {
            int sector = random.nextInt(sectors / THREADS) * THREADS + owner;
            int from = random.nextInt(SECTOR_BYTES - 1);
            int length = 1 + random.nextInt(SECTOR_BYTES - from);
            int at = sector * SECTOR_BYTES + from;
            if (random.nextInt(8) == 0) {
                java.util.Arrays.fill(model, at, at + length, (byte) 0);
                disk.writeZeroes(at, length, random.nextBoolean());
            } else {
                random.nextBytes(bytes);
                System.arraycopy(bytes, 0, model, at, length);
                disk.write(at, MemorySegment.ofArray(bytes).asSlice(0, length));
            }
            byte[] seen = new byte[length];
            disk.read(at, MemorySegment.ofArray(seen));
            assertEquals(-1, java.util.Arrays.mismatch(seen, 0, length, model, at, at + length), "own bytes at " + at);
        }
    }

    private static void flushAndSnapshot(BlockBackend disk, long seed) throws BlockException {
        Random random = new Random(~seed);
        List<SnapshotInfo> taken = new ArrayList<>();
        for (int i = 0; i < 30; i++) {
            disk.flush();
            if (random.nextBoolean()) {
                taken.add(disk.snapshots().create(SnapshotRequest.named("s" + i)));
            } else if (!taken.isEmpty()) {
                disk.snapshots().delete(taken.remove(random.nextInt(taken.size())));
            }
            CheckReport report = disk.check(Repair.NONE, line -> {});
            assertEquals(0, report.corruptions(), () -> report.findings().toString());
        }
    }

    private static void assertClean(BlockBackend disk) throws BlockException {
        CheckReport report = disk.check(Repair.NONE, line -> {});
        assertEquals(
                0,
                report.corruptions() + report.leaks() + report.checkErrors(),
                () -> report.findings().toString());
    }

    private static byte[] content(BlockBackend disk) throws BlockException {
        byte[] content = new byte[DISK_BYTES];
        disk.read(0, MemorySegment.ofArray(content));
        return content;
    }

    private interface Step {
        void run() throws Exception;
    }

    private static void run(AtomicReference<Throwable> failure, Step step) {
        try {
            step.run();
        } catch (Throwable e) {
            failure.compareAndSet(null, e);
        }
    }
}
