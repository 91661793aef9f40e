package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.BlockQueue;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.drivers.qcow2.format.Bits;
import dev.ashlar.testkit.protocol.MemoryDriver;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** LUKS images through core: what is stored is not what was written, keys stay out of sight, hostile headers are refused. */
class EncryptedImageTest {
    private static final String PASSPHRASE = "correct horse";
    private static final int CLUSTER = 65536;

    private final MemoryFile file = MemoryFile.mappable("disk");
    private final MemoryDriver memory = new MemoryDriver().put(file);
    private final List<byte[]> given = new ArrayList<>();

    private BlockGraph graph() {
        BlockGraph graph = BlockGraph.create(List.of(memory, new Qcow2Driver()));
        graph.useSecrets(id -> {
            if (id.equals("none")) {
                throw new BlockException(Kind.NOT_FOUND, "No secret with id 'none'");
            }
            byte[] secret = (id.equals("right") ? PASSPHRASE : id).getBytes(StandardCharsets.UTF_8);
            given.add(secret);
            return secret;
        });
        return graph;
    }

    private void create(BlockGraph graph, String... more) throws BlockException {
        Map<String, String> options = new HashMap<>(Map.of(
                "size",
                "" + (4 << 20),
                "encrypt.format",
                "luks",
                "encrypt.key-secret",
                "right",
                "encrypt.iter-time",
                "0"));
        for (String option : more) {
            options.put(option.split("=")[0], option.split("=")[1]);
        }
        graph.createImage("disk", "qcow2", options);
    }

    private static BlockBackend open(BlockGraph graph, String secret) throws BlockException {
        return graph.open(
                "disk", OpenOptions.readWrite().format("qcow2").driverOptions(Map.of("encrypt.key-secret", secret)));
    }

    @ParameterizedTest
    @CsvSource({
        "encrypt.cipher-alg=aes-256, cluster_size=65536",
        "encrypt.cipher-alg=aes-128, cluster_size=512",
        "encrypt.cipher-mode=cbc, encrypt.ivgen-alg=essiv",
        "encrypt.cipher-mode=cbc, compat=0.10",
        "encrypt.hash-alg=sha512, cluster_size=2097152",
        "encrypt.cipher-mode=ecb, encrypt.hash-alg=sha1"
    })
    void anyRangeComesBackAndNothingIsInTheClear(String one, String other) throws BlockException {
        byte[] model = new byte[4 << 20];
        byte[] word = "confidential".getBytes(StandardCharsets.US_ASCII);
        Random random = new Random(7);
        try (BlockGraph graph = graph()) {
            create(graph, one, other);
            try (BlockBackend disk = open(graph, "right")) {
                assertTrue(disk.formatInfo().orElseThrow().encrypted());
                for (int i = 0; i < 60; i++) {
                    int at = random.nextInt(model.length);
                    int length = Math.min(1 + random.nextInt(i % 10 == 0 ? 2_000_000 : 20_000), model.length - at);
                    if (i % 7 == 3) {
                        java.util.Arrays.fill(model, at, at + length, (byte) 0);
                        disk.writeZeroes(at, length, true);
                        continue;
                    }
                    for (int j = at; j < at + length; j++) {
                        model[j] = word[(j - at) % word.length];
                    }
                    disk.write(at, MemorySegment.ofArray(model).asSlice(at, length));
                }
                assertArrayEquals(model, read(disk));
            }
            try (BlockBackend disk = open(graph, "right")) {
                assertArrayEquals(model, read(disk), "after reopening");
                assertEquals(0, disk.check(Repair.NONE, line -> {}).leaks());
                assertEquals(0, disk.check(Repair.NONE, line -> {}).corruptions());
            }
        }
        String stored = new String(file.snapshot().read(0, (int) file.lengthBytes()), StandardCharsets.ISO_8859_1);
        assertFalse(stored.contains("confidential"));
        assertFalse(stored.contains(PASSPHRASE));
    }

    private static byte[] read(BlockBackend disk) throws BlockException {
        byte[] bytes = new byte[(int) disk.lengthBytes()];
        disk.read(0, MemorySegment.ofArray(bytes));
        return bytes;
    }

    @Test
    void aQueueSeesTheSameBytes() throws BlockException {
        try (BlockGraph graph = graph();
                Arena arena = Arena.ofConfined()) {
            create(graph);
            try (BlockBackend disk = open(graph, "right");
                    BlockQueue queue = disk.openQueue(4)) {
                MemorySegment bytes = arena.allocate(CLUSTER, 4096).fill((byte) 0x5a);
                disk.write(CLUSTER, bytes);
                MemorySegment seen = arena.allocate(CLUSTER, 4096);
                queue.read(CLUSTER, seen, 1);
                queue.submit();
                List<Integer> results = new ArrayList<>();
                while (results.isEmpty()) {
                    queue.await(1, (token, result) -> results.add(result));
                }
                assertTrue(queue.takeFailure(1).isEmpty(), () -> results.toString());
                assertEquals(-1, seen.mismatch(bytes));
            }
        }
    }

    @Test
    void compressedClustersAreNotEncrypted() throws BlockException {
        try (BlockGraph graph = graph()) {
            create(graph);
            byte[] bytes = new byte[CLUSTER];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) (i / 100);
            }
            try (BlockBackend disk = open(graph, "right")) {
                disk.writeCompressed(0, MemorySegment.ofArray(bytes));
                disk.write(10, MemorySegment.ofArray(new byte[] {1}));
                disk.writeCompressed(CLUSTER, MemorySegment.ofArray(bytes));
            }
            bytes[10] = 1;
            try (BlockBackend disk = open(graph, "right")) {
                assertArrayEquals(bytes, java.util.Arrays.copyOf(read(disk), CLUSTER));
                assertEquals(1, disk.check(Repair.NONE, line -> {}).compressedClusters());
            }
        }
    }

    @Test
    void withoutTheKeyNothingOpensButInfo() throws BlockException {
        try (BlockGraph graph = graph()) {
            create(graph);
            requireRefused(graph, Map.of(), "Parameter 'encrypt.key-secret' is required for cipher");
            requireRefused(graph, Map.of("encrypt.key-secret", "wrong"), "Invalid password, cannot unlock any keyslot");
            requireRefused(graph, Map.of("encrypt.key-secret", "none"), "No secret with id 'none'");
            requireRefused(
                    graph,
                    Map.of("encrypt.key-secret", "right", "encrypt.format", "aes"),
                    "Header reported 'luks' encryption format but options specify 'aes'");
        }
        for (byte[] secret : given) {
            for (byte each : secret) {
                assertEquals(0, each, "secrets are wiped");
            }
        }
    }

    @Test
    void passphrasesComeAndGo() throws BlockException {
        try (BlockGraph graph = graph()) {
            create(graph);
            byte[] bytes = new byte[CLUSTER];
            new Random(3).nextBytes(bytes);
            try (BlockBackend disk = open(graph, "right")) {
                disk.write(0, MemorySegment.ofArray(bytes));
                disk.changeKeySlots(
                        Map.of("encrypt.state", "active", "encrypt.new-secret", "other", "encrypt.iter-time", "0"),
                        false);
            }
            try (BlockBackend disk = open(graph, "other")) {
                disk.changeKeySlots(Map.of("encrypt.state", "inactive", "encrypt.old-secret", "right"), false);
                BlockException refused = assertThrows(
                        BlockException.class,
                        () -> disk.changeKeySlots(Map.of("encrypt.state", "inactive", "encrypt.keyslot", "1"), false));
                assertEquals(Kind.INVALID, refused.kind());
            }
            requireRefused(graph, Map.of("encrypt.key-secret", "right"), "Invalid password, cannot unlock any keyslot");
            try (BlockBackend disk = open(graph, "other")) {
                assertArrayEquals(bytes, java.util.Arrays.copyOf(read(disk), CLUSTER));
            }
        }
    }

    private static void requireRefused(BlockGraph graph, Map<String, String> options, String message) {
        BlockException refused = assertThrows(
                BlockException.class,
                () -> graph.open("disk", OpenOptions.readOnly().format("qcow2").driverOptions(options)));
        assertTrue(refused.getMessage().contains(message), refused.getMessage());
    }

    /** One field each that can't be: a message, nothing written, no time lost. */
    @ParameterizedTest
    @CsvSource({
        "0, 0x4c554b00, not in LUKS format",
        "6, 0x00026165, LUKS version 2",
        "8, 0x78787800, Algorithm 'xxx",
        "40, 0x78787878, is not supported",
        "72, 0x6d643500, Hash algorithm 'md5'",
        "108, 0xffffffff, A key of 4294967295 bytes",
        "108, 0x00000007, A key of 7 bytes",
        "164, 0xffffffff, iteration count 4294967295",
        "164, 0x00000000, iteration count is zero",
        "208, 0x12345678, neither active nor inactive",
        "212, 0x7fffffff, iteration count 2147483647",
        "248, 0xffffffff, outside of the header",
        "248, 0x00000000, outside of the header",
        "248, 0x00000200, overlapping",
        "252, 0x00000001, stripes 1 != 4000"
    })
    void hostileHeaders(int at, String value, String message) throws BlockException {
        try (BlockGraph graph = graph()) {
            create(graph);
            long header = cryptoOffset();
            MemorySegment word = MemorySegment.ofArray(new byte[4]);
            Bits.putU32(word, 0, Long.decode(value));
            new MemoryProtocol(file).write(header + at, word);
            byte[] before = file.snapshot().read(0, (int) file.lengthBytes());
            BlockException refused = assertThrows(BlockException.class, () -> open(graph, "right"));
            assertTrue(refused.getMessage().contains(message), refused.getMessage());
            assertArrayEquals(before, file.snapshot().read(0, (int) file.lengthBytes()));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "0, 4096, is not a multiple",
        "0, 0x7fffffffffff0000, Encryption header offset invalid",
        "0, -65536, Encryption header offset invalid",
        "8, 0x7fffffffffffffff, Encryption header too large",
        "8, 100, LUKS header is too short"
    })
    void hostilePlacesOfTheHeader(int field, String value, String message) throws BlockException {
        try (BlockGraph graph = graph()) {
            create(graph);
            MemorySegment word = MemorySegment.ofArray(new byte[8]);
            Bits.putU64(word, 0, Long.decode(value));
            new MemoryProtocol(file).write(cryptoExtension() + field, word);
            BlockException refused = assertThrows(BlockException.class, () -> open(graph, "right"));
            assertTrue(refused.getMessage().contains(message), refused.getMessage());
        }
    }

    /** Where the payload of the extension lies. */
    private long cryptoExtension() {
        MemorySegment head = MemorySegment.ofArray(file.snapshot().read(0, 512));
        long at = 112;
        while ((int) Bits.u32(head, at) != 0x0537be77) {
            assertNotEquals(0, Bits.u32(head, at), "no extension");
            at += 8 + (Bits.u32(head, at + 4) + 7) / 8 * 8;
        }
        return at + 8;
    }

    private long cryptoOffset() {
        return Bits.u64(MemorySegment.ofArray(file.snapshot().read(0, 512)), cryptoExtension());
    }
}
