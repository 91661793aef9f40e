package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.TableEntry;
import dev.ashlar.nativeio.codec.BlockCompressor;
import dev.ashlar.nativeio.codec.Compression;
import dev.ashlar.testkit.protocol.MemoryDriver;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Streams that are not what they should be: an I/O error of their cluster, nothing else. */
class HostileStreamsTest {
    private static final ClusterGeometry GEOMETRY = new ClusterGeometry(16, 4);
    private static final int CLUSTER = GEOMETRY.clusterBytes();
    /** A place in the file that nothing else uses. */
    private static final long PLACE = 64L * CLUSTER + 100;

    private final MemoryFile file = MemoryFile.mappable("disk");
    private final MemoryDriver memory = new MemoryDriver().put(file);

    @ParameterizedTest
    @EnumSource(Compression.class)
    void longerAndShorterThanACluster(Compression compression) throws BlockException {
        prepare(compression);
        refuse(stream(compression, new byte[CLUSTER + 1]), 0, "one byte more");
        refuse(stream(compression, new byte[16 << 20]), 0, "a bomb");
        refuse(stream(compression, new byte[CLUSTER - 1]), 0, "one byte less");
        byte[] rich = CompressedClustersTest.content(new Random(4), CLUSTER);
        for (int i = 0; i < rich.length; i++) {
            rich[i] = (byte) (i * i >>> 7);
        }
        byte[] good = stream(compression, rich);
        accept(good, rich);
        refuse(Arrays.copyOf(good, good.length / 2), 0, "cut short");
        refuse(good, 1 + good.length / 512, "fewer sectors than it has");
        refuse(new byte[0], 0, "zeros");
        byte[] noise = new byte[2000];
        new Random(5).nextBytes(noise);
        refuse(noise, 0, "noise");
        for (int i = 0; i < Math.min(40, good.length); i++) {
            byte[] flipped = good.clone();
            flipped[i] ^= 0x55;
            readable(flipped);
        }
    }

    @ParameterizedTest
    @EnumSource(Compression.class)
    void behindTheEndOfTheFile(Compression compression) throws BlockException {
        prepare(compression);
        putWord(TableEntry.compressed(1L << 40, 5000, GEOMETRY));
        refuseRead("behind the end");
        putWord(-1L >>> 1);
        refuseRead("all bits set");
    }

    private static byte[] stream(Compression compression, byte[] content) {
        try (BlockCompressor compressor = compression.newCompressor(content.length)) {
            byte[] out = new byte[content.length];
            int used = compressor.compress(MemorySegment.ofArray(content), MemorySegment.ofArray(out));
            assertTrue(used > 0);
            return Arrays.copyOf(out, used);
        }
    }

    /** Three clusters, all compressed; the second one is to be replaced. */
    private void prepare(Compression compression) throws BlockException {
        try (BlockGraph graph = graph()) {
            String type = compression == Compression.ZSTD ? "zstd" : "zlib";
            graph.createImage("disk", "qcow2", Map.of("size", "" + (1 << 20), "compression_type", type));
            try (BlockBackend disk = open(graph)) {
                byte[] bytes = new byte[3 * CLUSTER];
                Arrays.fill(bytes, (byte) 9);
                disk.writeCompressed(0, MemorySegment.ofArray(bytes));
            }
        }
    }

    private BlockGraph graph() {
        return BlockGraph.create(List.of(memory, new Qcow2Driver()));
    }

    private static BlockBackend open(BlockGraph graph) throws BlockException {
        return graph.open("disk", OpenOptions.readWrite().format("qcow2"));
    }

    private void putWord(long word) throws BlockException {
        MemorySegment head = MemorySegment.ofArray(file.snapshot().read(0, (int) file.lengthBytes()));
        long l2 = TableEntry.offset(Bits.u64(head, Bits.u64(head, 40)));
        MemorySegment bytes = MemorySegment.ofArray(new byte[8]);
        Bits.putU64(bytes, 0, word);
        new MemoryProtocol(file).write(l2 + 8, bytes);
    }

    /** @param fewerSectors taken from the sector count that the stream needs */
    private void place(byte[] stream, int fewerSectors) throws BlockException {
        MemoryProtocol raw = new MemoryProtocol(file);
        raw.write(PLACE, MemorySegment.ofArray(new byte[2 * CLUSTER]));
        if (stream.length > 0) {
            raw.write(PLACE, MemorySegment.ofArray(stream));
        }
        int claimed = Math.min(Math.max(1, stream.length - 512 * fewerSectors), 2 * CLUSTER - 1024);
        putWord(TableEntry.compressed(PLACE, claimed, GEOMETRY));
    }

    private void refuse(byte[] stream, int fewerSectors, String what) throws BlockException {
        place(stream, fewerSectors);
        refuseRead(what);
    }

    private void refuseRead(String what) throws BlockException {
        try (BlockGraph graph = graph();
                BlockBackend disk = open(graph)) {
            byte[] seen = new byte[CLUSTER];
            for (int part : new int[] {CLUSTER, 512}) {
                BlockException refused = assertThrows(
                        BlockException.class,
                        () -> disk.read(CLUSTER, MemorySegment.ofArray(seen).asSlice(0, part)),
                        what);
                assertEquals(Kind.IO, refused.kind(), what + ": " + refused.getMessage());
            }
            requireOthersUnharmed(disk, what);
        }
    }

    private static void requireOthersUnharmed(BlockBackend disk, String what) throws BlockException {
        byte[] expected = new byte[CLUSTER];
        Arrays.fill(expected, (byte) 9);
        byte[] seen = new byte[CLUSTER];
        for (int cluster : new int[] {0, 2}) {
            disk.read((long) cluster * CLUSTER, MemorySegment.ofArray(seen));
            assertArrayEquals(expected, seen, what);
        }
        disk.write(2L * CLUSTER, MemorySegment.ofArray(seen));
        disk.flush();
    }

    private void accept(byte[] stream, byte[] content) throws BlockException {
        place(stream, 0);
        try (BlockGraph graph = graph();
                BlockBackend disk = open(graph)) {
            byte[] seen = new byte[CLUSTER];
            disk.read(CLUSTER, MemorySegment.ofArray(seen));
            assertArrayEquals(content, seen);
        }
    }

    /** May be read as something else, or be refused. */
    private void readable(byte[] stream) throws BlockException {
        place(stream, 0);
        try (BlockGraph graph = graph();
                BlockBackend disk = open(graph)) {
            try {
                disk.read(CLUSTER, MemorySegment.ofArray(new byte[CLUSTER]));
            } catch (BlockException e) {
                assertEquals(Kind.IO, e.kind());
            }
            requireOthersUnharmed(disk, "flipped");
        }
    }
}
