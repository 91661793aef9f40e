package dev.ashlar.drivers.qcow2.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.snapshot.SnapshotInfo;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** The snapshot table's codec: what is encoded is parsed again, what is cut or hostile is refused. */
class SnapshotTableProperties {
    @Property(tries = 500)
    void parseUndoesEncode(@ForAll long seed, @ForAll @IntRange(min = 0, max = 40) int count) throws BlockException {
        List<SnapshotEntry> entries = entries(seed, count);
        byte[] table = SnapshotTable.encode(entries);
        assertEquals(table.length, SnapshotTable.encodedBytes(entries));
        SnapshotTable.Parsed parsed = SnapshotTable.parse(MemorySegment.ofArray(table), count, 0);
        assertEquals(table.length, parsed.lengthBytes());
        assertEquals(count, parsed.entries().size());
        for (int i = 0; i < count; i++) {
            SnapshotEntry expected = entries.get(i);
            SnapshotEntry actual = parsed.entries().get(i);
            assertEquals(expected.info(), actual.info());
            assertEquals(expected.l1TableOffset(), actual.l1TableOffset());
            assertEquals(expected.l1Entries(), actual.l1Entries());
            assertArrayEquals(expected.unknownExtra(), actual.unknownExtra());
            assertArrayEquals(expected.name(), actual.name());
        }
    }

    @Property(tries = 300)
    void everyCutIsRefused(@ForAll long seed, @ForAll @IntRange(min = 1, max = 5) int count) throws BlockException {
        byte[] table = SnapshotTable.encode(entries(seed, count));
        int length = new Random(seed).nextInt(table.length);
        MemorySegment cut = MemorySegment.ofArray(table).asSlice(0, length);
        assertThrows(BlockException.class, () -> SnapshotTable.parse(cut, count, 0));
    }

    @Property(tries = 2000)
    void hostileBytesAreParsedOrRefusedButNothingElse(@ForAll long seed) throws BlockException {
        Random random = new Random(seed);
        byte[] table = SnapshotTable.encode(entries(seed, 3));
        for (int i = 0; i < 1 + random.nextInt(8); i++) {
            table[random.nextInt(table.length)] = (byte) random.nextInt();
        }
        try {
            SnapshotTable.parse(MemorySegment.ofArray(table), 3, 0);
        } catch (BlockException e) {
            assertTrue(e.getMessage().toLowerCase(Locale.ROOT).contains("snapshot table entry "), e.getMessage());
        }
    }

    @Example
    void namesThatAreNotUtf8SurviveARewrite() throws BlockException {
        byte[] name = {'a', (byte) 0xff, (byte) 0xc3};
        SnapshotEntry odd = new SnapshotEntry(
                info("1", new String(name, StandardCharsets.UTF_8)), 65536, 1, new byte[0], new byte[] {'1'}, name);
        byte[] table = SnapshotTable.encode(List.of(odd));
        SnapshotEntry parsed = SnapshotTable.parse(MemorySegment.ofArray(table), 1, 0)
                .entries()
                .getFirst();
        assertArrayEquals(name, parsed.name());
        assertArrayEquals(table, SnapshotTable.encode(List.of(parsed)));
    }

    private static List<SnapshotEntry> entries(long seed, int count) {
        Random random = new Random(seed);
        List<SnapshotEntry> entries = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            byte[] unknown = new byte[random.nextInt(3) == 0 ? random.nextInt(64) : 0];
            random.nextBytes(unknown);
            String id = Integer.toString(1 + random.nextInt(1_000_000));
            String name = "name-\u00e9\u4e2d" + "x".repeat(random.nextInt(300));
            SnapshotInfo info = new SnapshotInfo(
                    id,
                    name,
                    random.nextBoolean() ? 0 : random.nextLong() >>> 8,
                    random.nextInt() & 0xffff_ffffL,
                    random.nextInt(1_000_000_000),
                    random.nextLong(),
                    random.nextBoolean() ? OptionalLong.empty() : OptionalLong.of(random.nextLong() >>> 1),
                    random.nextLong() >>> 1);
            entries.add(new SnapshotEntry(
                    info,
                    random.nextLong() & TableEntry.OFFSET_MASK,
                    random.nextInt(1 << 20),
                    unknown,
                    id.getBytes(StandardCharsets.UTF_8),
                    name.getBytes(StandardCharsets.UTF_8)));
        }
        return entries;
    }

    private static SnapshotInfo info(String id, String name) {
        return new SnapshotInfo(id, name, 0, 0, 0, 0, OptionalLong.empty(), 0);
    }
}
