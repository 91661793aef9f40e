package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.CompressedContent;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.testkit.protocol.MemoryDriver;
import dev.ashlar.testkit.protocol.MemoryFile;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Writing compressed clusters through core. The seed of random data by {@code ashlar.compressed.seed}. */
class CompressedClustersTest {
    private static final long SEED = Long.getLong("ashlar.compressed.seed", System.nanoTime() & 0xffff_ffffL);

    private final MemoryFile file = MemoryFile.mappable("disk");
    private final MemoryDriver memory = new MemoryDriver().put(file);

    private BlockGraph graph() {
        return BlockGraph.create(List.of(memory, new Qcow2Driver()));
    }

    private static BlockBackend open(BlockGraph graph) throws BlockException {
        return graph.open("disk", OpenOptions.readWrite().format("qcow2").unmap(true));
    }

    private static void create(BlockGraph graph, long sizeBytes, int clusterBytes, String type) throws BlockException {
        graph.createImage(
                "disk",
                "qcow2",
                Map.of("size", "" + sizeBytes, "cluster_size", "" + clusterBytes, "compression_type", type));
    }

    private static byte[] read(BlockBackend disk) throws BlockException {
        byte[] bytes = new byte[(int) disk.lengthBytes()];
        disk.read(0, MemorySegment.ofArray(bytes));
        return bytes;
    }

    private static CheckReport requireClean(BlockBackend disk) throws BlockException {
        CheckReport report = disk.check(Repair.NONE, line -> {});
        assertEquals(0, report.corruptions() + report.leaks() + report.checkErrors(), () -> report.toString());
        return report;
    }

    /** Words of a few letters, noise, zeros: what gets small, what does not. */
    static byte[] content(Random random, int lengthBytes) {
        byte[] bytes = new byte[lengthBytes];
        int kind = random.nextInt(5);
        for (int i = 0; i < lengthBytes && kind > 0; i++) {
            bytes[i] = (byte) (kind == 1 ? random.nextInt() : random.nextInt(1 + (1 << kind)));
        }
        return bytes;
    }

    @ParameterizedTest
    @CsvSource({
        "9, zlib",
        "10, zstd",
        "11, zlib",
        "12, zlib",
        "12, zstd",
        "14, zstd",
        "16, zlib",
        "16, zstd",
        "18, zlib",
        "21, zlib",
        "21, zstd"
    })
    void whatIsWrittenComesBackWhateverItOverwrites(int clusterBits, String type) throws BlockException {
        System.out.println("seed " + SEED);
        Random random = new Random(SEED);
        int cluster = 1 << clusterBits;
        int clusters = clusterBits > 18 ? 5 : 40;
        byte[] model = new byte[(clusters - 1) * cluster + cluster / 512 / 2 * 512 + 512];
        try (BlockGraph graph = graph()) {
            create(graph, model.length, cluster, type);
            try (BlockBackend disk = open(graph)) {
                for (int i = 0; i < (clusterBits > 18 ? 12 : 60); i++) {
                    change(disk, model, cluster, random);
                    if (i % 10 == 5 && clusterBits > 9) {
                        disk.snapshots().create(SnapshotRequest.named("s" + i));
                    }
                }
                assertArrayEquals(model, read(disk), "seed " + SEED);
            }
            try (BlockBackend disk = open(graph)) {
                assertArrayEquals(model, read(disk), "after reopening, seed " + SEED);
                requireClean(disk);
                for (SnapshotInfo each : disk.snapshots().list()) {
                    disk.snapshots().delete(each);
                }
                assertArrayEquals(model, read(disk), "without snapshots, seed " + SEED);
                disk.flush();
                requireClean(disk);
            }
        }
    }

    private static void change(BlockBackend disk, byte[] model, int cluster, Random random) throws BlockException {
        int first = random.nextInt((model.length + cluster - 1) / cluster) * cluster;
        int length = Math.min(cluster * (1 + random.nextInt(4)), model.length - first);
        switch (random.nextInt(8)) {
            case 0 -> {
                Arrays.fill(model, first, first + length, (byte) 0);
                disk.writeZeroes(first, length, random.nextBoolean());
            }
            case 1 -> disk.flush();
            case 2 -> {
                int at = first + random.nextInt(length);
                byte[] plain = content(random, 1 + random.nextInt(first + length - at));
                System.arraycopy(plain, 0, model, at, plain.length);
                disk.write(at, MemorySegment.ofArray(plain));
            }
            default -> {
                byte[] bytes = content(random, length);
                System.arraycopy(bytes, 0, model, first, length);
                disk.writeCompressed(first, MemorySegment.ofArray(bytes));
                byte[] seen = new byte[1 + random.nextInt(length)];
                int from = random.nextInt(length - seen.length + 1);
                disk.read(first + from, MemorySegment.ofArray(seen));
                assertArrayEquals(Arrays.copyOfRange(bytes, from, from + seen.length), seen);
            }
        }
    }

    @Test
    void oneHostClusterHoldsMany() throws BlockException {
        try (BlockGraph graph = graph()) {
            create(graph, 8 << 20, 65536, "zlib");
            try (BlockBackend disk = open(graph)) {
                long before = file.lengthBytes();
                byte[] bytes = new byte[2 << 20];
                Arrays.fill(bytes, (byte) 7);
                disk.writeCompressed(0, MemorySegment.ofArray(bytes));
                disk.flush();
                CheckReport report = requireClean(disk);
                assertEquals(32, report.compressedClusters());
                // one for all of the data, one for the L2 table
                assertTrue(file.lengthBytes() <= before + 2 * 65536, before + " to " + file.lengthBytes());
            }
        }
    }

    /** Rule R5 where one host cluster had many references: its space goes back when, and only when, all are gone. */
    @Test
    void aHostClusterIsGivenBackWithItsLastReference() throws BlockException {
        try (BlockGraph graph = graph()) {
            create(graph, 1 << 20, 65536, "zlib");
            try (BlockBackend disk = open(graph)) {
                byte[] bytes = new byte[4 * 65536];
                Arrays.fill(bytes, (byte) 7);
                disk.writeCompressed(0, MemorySegment.ofArray(bytes));
                disk.flush();
                long host = hostOffset(0);
                disk.discard(0, 3 * 65536);
                disk.flush();
                assertFalse(isPunched(host), "one cluster still needs it");
                byte[] last = new byte[65536];
                disk.read(3 * 65536, MemorySegment.ofArray(last));
                assertArrayEquals(Arrays.copyOf(bytes, 65536), last);
                disk.writeCompressed(0, MemorySegment.ofArray(bytes).asSlice(0, 3 * 65536));
                disk.flush();
                long other = hostOffset(0);
                // all of one and the last of the other in one go
                disk.discard(0, 4 * 65536);
                disk.flush();
                assertTrue(isPunched(host), "first");
                assertTrue(isPunched(other), "second");
                requireClean(disk);
            }
        }
    }

    private boolean isPunched(long host) {
        for (byte each : file.snapshot().read(host, 65536)) {
            if (each != MemoryFile.DISCARDED && each != 0) {
                return false;
            }
        }
        return true;
    }

    private long hostOffset(int l2Index) {
        MemorySegment bytes = MemorySegment.ofArray(file.snapshot().read(0, (int) file.lengthBytes()));
        long l1 = dev.ashlar.drivers.qcow2.format.Bits.u64(bytes, 40);
        long l2 = dev.ashlar.drivers.qcow2.format.Bits.u64(bytes, l1) & 0x00ff_ffff_ffff_fe00L;
        return dev.ashlar.drivers.qcow2.format.Bits.u64(bytes, l2 + 8L * l2Index) & ((1L << 54) - 1) & -65536L;
    }

    /** What is free may be anything the next moment: nothing is packed behind data that is gone. */
    @Test
    void nothingIsPackedIntoAClusterThatIsInOtherUse() throws BlockException {
        try (BlockGraph graph = graph()) {
            create(graph, 1 << 20, 65536, "zlib");
            try (BlockBackend disk = open(graph)) {
                byte[] small = new byte[65536];
                Arrays.fill(small, (byte) 7);
                disk.writeCompressed(0, MemorySegment.ofArray(small));
                disk.flush();
                disk.discard(0, 65536);
                disk.flush();
                byte[] plain = content(new Random(1), 65536);
                new Random(1).nextBytes(plain);
                disk.write(2 * 65536, MemorySegment.ofArray(plain));
                disk.writeCompressed(3 * 65536, MemorySegment.ofArray(small));
                byte[] seen = new byte[65536];
                disk.read(2 * 65536, MemorySegment.ofArray(seen));
                assertArrayEquals(plain, seen);
                requireClean(disk);
            }
        }
    }

    @Test
    void onlyWholeClustersAndOnlyWhereItIsPossible() throws BlockException {
        memory.put(MemoryFile.empty("raw"));
        try (BlockGraph graph = graph()) {
            create(graph, 100_352, 65536, "zlib");
            try (BlockBackend disk = open(graph)) {
                assertEquals(65536, disk.compressedUnitBytes());
                MemorySegment bytes = MemorySegment.ofArray(new byte[65536]);
                assertKind(Kind.INVALID, () -> disk.writeCompressed(512, bytes.asSlice(0, 512)));
                assertKind(Kind.INVALID, () -> disk.writeCompressed(0, bytes.asSlice(0, 512)));
                assertKind(Kind.OUT_OF_BOUNDS, () -> disk.writeCompressed(65536, bytes));
                disk.writeCompressed(65536, bytes.asSlice(0, 100_352 - 65536));
                assertEquals(1, requireClean(disk).compressedClusters());
            }
        }
    }

    private interface Attempt {
        void run() throws BlockException;
    }

    private static void assertKind(Kind kind, Attempt attempt) {
        assertEquals(kind, assertThrows(BlockException.class, attempt::run).kind());
    }

    @Test
    void contentWhoseBuffersAreGoneIsMadeAnew() throws BlockException {
        try (BlockGraph graph = graph()) {
            create(graph, 1 << 20, 65536, "zlib");
            byte[] bytes = new byte[65536];
            Arrays.fill(bytes, (byte) 3);
            try (BlockBackend disk = open(graph)) {
                CompressedContent content = closed(disk, bytes);
                disk.snapshots().create(SnapshotRequest.named("before"));
                disk.write(content);
                byte[] seen = new byte[65536];
                disk.read(0, MemorySegment.ofArray(seen));
                assertArrayEquals(bytes, seen);
                requireClean(disk);
            }
        }
    }

    private static CompressedContent closed(BlockBackend disk, byte[] bytes) throws BlockException {
        try (CompressedContent content = disk.compress(0, MemorySegment.ofArray(bytes))) {
            return content;
        }
    }

    @ParameterizedTest
    @CsvSource({"512, zlib", "4096, zstd", "65536, zlib"})
    @Timeout(value = 60, unit = TimeUnit.SECONDS)
    void manyThreads(int clusterBytes, String type) throws Exception {
        System.out.println("seed " + SEED);
        int threadCount = 5;
        byte[] model = new byte[48 * clusterBytes];
        try (BlockGraph graph = graph()) {
            create(graph, model.length, clusterBytes, type);
            try (BlockBackend disk = open(graph)) {
                AtomicReference<Throwable> failure = new AtomicReference<>();
                List<Thread> threads = new ArrayList<>();
                for (int i = 0; i < threadCount; i++) {
                    int owner = i;
                    threads.add(Thread.ofVirtual().start(() -> {
                        try {
                            own(disk, model, owner, threadCount, clusterBytes);
                        } catch (Throwable e) {
                            failure.compareAndSet(null, e);
                        }
                    }));
                }
                List<SnapshotInfo> taken = new ArrayList<>();
                for (int i = 0; i < 15; i++) {
                    disk.flush();
                    if (i % 3 == 0) {
                        taken.add(disk.snapshots().create(SnapshotRequest.named("s" + i)));
                    } else if (i % 3 == 2) {
                        disk.snapshots().delete(taken.remove(0));
                    }
                }
                for (Thread thread : threads) {
                    thread.join();
                }
                assertNull(failure.get(), () -> "seed " + SEED + ": " + failure.get());
                assertArrayEquals(model, read(disk), "seed " + SEED);
                disk.flush();
                disk.flush();
                requireClean(disk);
            }
            try (BlockBackend disk = open(graph)) {
                assertArrayEquals(model, read(disk), "after reopening, seed " + SEED);
                requireClean(disk);
            }
        }
    }

    private static void own(BlockBackend disk, byte[] model, int owner, int owners, int clusterBytes)
            throws BlockException {
        Random random = new Random(SEED + owner);
        for (int i = 0; i < 120; i++) {
            int at = (random.nextInt(48 / owners) * owners + owner) * clusterBytes;
            byte[] bytes = content(random, clusterBytes);
            switch (random.nextInt(6)) {
                case 0 -> {
                    Arrays.fill(bytes, (byte) 0);
                    disk.discard(at, clusterBytes);
                }
                case 1 -> disk.write(at, MemorySegment.ofArray(bytes));
                default -> disk.writeCompressed(at, MemorySegment.ofArray(bytes));
            }
            System.arraycopy(bytes, 0, model, at, clusterBytes);
            byte[] seen = new byte[clusterBytes];
            disk.read(at, MemorySegment.ofArray(seen));
            assertArrayEquals(bytes, seen, "own cluster at " + at);
        }
    }
}
