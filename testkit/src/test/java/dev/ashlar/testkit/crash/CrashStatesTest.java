package dev.ashlar.testkit.crash;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.FaultProtocol;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The crash simulator must find the ordering bugs that it is for, and must not invent any. */
class CrashStatesTest {
    private static final int SECTOR = 512;

    private final WriteLog log = new WriteLog();
    private final MemoryFile file = MemoryFile.of("disk", new SparseBytes(8 * SECTOR));
    private final FaultProtocol faults = new FaultProtocol(new MemoryProtocol(file));
    private final RecordingProtocol disk = new RecordingProtocol(faults, log);

    private void write(int sector, int count, int value) throws BlockException {
        byte[] content = new byte[count * SECTOR];
        Arrays.fill(content, (byte) value);
        disk.write((long) sector * SECTOR, MemorySegment.ofArray(content));
    }

    /** First byte of each of the first sectors, and the length. */
    private static String picture(SparseBytes image, int sectors) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < sectors; i++) {
            text.append(image.read((long) i * SECTOR, 1)[0]).append(' ');
        }
        return text.append(image.lengthBytes() / SECTOR).toString();
    }

    private Set<String> pictures(int sectors, int budget) throws Exception {
        Set<String> seen = new HashSet<>();
        CrashStates.forEachState(
                log, new SparseBytes(8 * SECTOR), 1, budget, state -> seen.add(picture(state.image(), sectors)));
        return seen;
    }

    /** A toy journal: two sectors of payload, then a commit sector that claims they are whole. */
    private long dangerousStates(boolean flushBetween) throws Exception {
        write(1, 2, 7);
        if (flushBetween) {
            disk.flush();
        }
        write(0, 1, 1);
        disk.flush();
        long[] dangerous = new long[1];
        CrashStates.forEachState(log, new SparseBytes(8 * SECTOR), 42, 200, state -> {
            byte[] sectors = state.image().read(0, 3 * SECTOR);
            if (sectors[0] == 1 && (sectors[SECTOR] != 7 || sectors[2 * SECTOR] != 7)) {
                dangerous[0]++;
            }
        });
        return dangerous[0];
    }

    @Test
    void missingFlushIsCaught() throws Exception {
        assertTrue(dangerousStates(false) > 0);
    }

    @Test
    void rightOrderIsNeverBlamed() throws Exception {
        assertEquals(0, dangerousStates(true));
    }

    @Test
    void fewOperationsAreEnumeratedCompletely() throws Exception {
        write(0, 1, 1);
        write(1, 1, 2);
        write(2, 1, 3);
        Set<String> all = new HashSet<>();
        for (int bits = 0; bits < 8; bits++) {
            all.add(((bits & 1) != 0 ? 1 : 0) + " " + ((bits & 2) != 0 ? 2 : 0) + " " + ((bits & 4) != 0 ? 3 : 0)
                    + " 8");
        }
        assertEquals(all, pictures(3, 100));
    }

    @Test
    void writesTearBetweenSectorsOnly() throws Exception {
        write(0, 3, 5);
        Set<String> seen = pictures(3, 300);
        assertEquals(8, seen.size());
        CrashStates.forEachState(log, new SparseBytes(8 * SECTOR), 3, 300, state -> {
            for (int i = 0; i < 3; i++) {
                byte[] sector = state.image().read((long) i * SECTOR, SECTOR);
                for (byte each : sector) {
                    assertEquals(sector[0], each);
                }
            }
        });
    }

    @Test
    void olderWriteMaySurviveNewer() throws Exception {
        write(0, 1, 1);
        write(0, 1, 2);
        assertEquals(Set.of("0 8", "1 8", "2 8"), pictures(1, 100));
    }

    @Test
    void writesToPartsOfASectorCarryTheRestWithThem() throws Exception {
        disk.write(0, MemorySegment.ofArray(new byte[] {1, 1}));
        disk.write(1, MemorySegment.ofArray(new byte[] {2, 2}));
        Set<String> seen = new HashSet<>();
        CrashStates.forEachState(
                log,
                new SparseBytes(SECTOR),
                1,
                100,
                state -> seen.add(Arrays.toString(state.image().read(0, 3))));
        assertEquals(Set.of("[0, 0, 0]", "[1, 1, 0]", "[1, 2, 2]"), seen);
    }

    @Test
    void flushMakesCertain() throws Exception {
        write(0, 1, 1);
        disk.flush();
        int flushed = log.size();
        write(1, 1, 2);
        CrashStates.forEachState(log, new SparseBytes(8 * SECTOR), 1, 100, state -> {
            if (state.position() > flushed) {
                assertEquals(1, state.image().read(0, 1)[0]);
                assertEquals(1, state.certain());
            }
        });
        assertEquals(Set.of("0 0 8", "1 0 8", "1 2 8"), pictures(2, 100));
    }

    @Test
    void flushCoversOnlyWhatHadCompleted() throws Exception {
        int slow = log.start(new DiskOperation.Write(0, new byte[] {9}, false));
        disk.flush();
        log.end(slow, true);
        assertEquals(Set.of("0 8", "9 8"), pictures(1, 100));
        disk.flush();
        log.mark("second flush");
        CrashStates.forEachState(log, new SparseBytes(8 * SECTOR), 1, 100, state -> {
            if (state.lastMark(String.class) != null) {
                assertEquals("9 8", picture(state.image(), 1));
            }
        });
    }

    @Test
    void failedFlushIsNeverMadeGood() throws Exception {
        write(0, 1, 1);
        faults.failChange(1, Kind.IO, FaultProtocol.Duration.ONCE, FaultProtocol.Damage.NONE);
        try {
            disk.flush();
            assertFalse(true, "the fault did not strike");
        } catch (BlockException expected) {
            assertEquals(Kind.IO, expected.kind());
        }
        disk.flush();
        log.mark("a flush that lies");
        Set<String> seen = new HashSet<>();
        CrashStates.forEachState(log, new SparseBytes(8 * SECTOR), 1, 100, state -> {
            if (state.lastMark(String.class) != null) {
                seen.add(picture(state.image(), 1));
            }
        });
        assertEquals(Set.of("0 8", "1 8"), seen);
    }

    @Test
    void lengthsAreUncertainToo() throws Exception {
        write(0, 1, 1);
        disk.flush();
        disk.truncate(0, Preallocation.OFF);
        disk.truncate(4 * SECTOR, Preallocation.OFF);
        assertEquals(Set.of("0 8", "1 8", "1 4", "0 0", "0 4"), pictures(1, 100));
    }

    @Test
    void marksTellWhatWasPromised() throws Exception {
        log.mark("before");
        write(0, 1, 1);
        disk.flush();
        log.mark("after");
        Set<String> seen = new HashSet<>();
        CrashStates.forEachState(
                log,
                new SparseBytes(8 * SECTOR),
                1,
                100,
                state -> seen.add(state.lastMark(String.class) + " " + picture(state.image(), 1)));
        assertEquals(Set.of("null 0 8", "before 0 8", "before 1 8", "after 1 8"), seen);
    }

    @Test
    void manyOperationsAreSampledWithinBudget() throws Exception {
        for (int i = 0; i < 400; i++) {
            write(i % 8, 1 + i % 2 * (i % 8 == 7 ? 0 : 1), i % 100);
        }
        Set<Integer> positions = new HashSet<>();
        long visited = CrashStates.forEachState(
                log, new SparseBytes(8 * SECTOR), 1, 2_000, state -> positions.add(state.position()));
        assertTrue(visited > 1_500 && visited < 2_500, "visited " + visited);
        assertTrue(positions.size() > 350, "points " + positions.size());
    }
}
