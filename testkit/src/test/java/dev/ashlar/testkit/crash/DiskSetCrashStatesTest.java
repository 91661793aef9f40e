package dev.ashlar.testkit.crash;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.testkit.SparseBytes;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import dev.ashlar.testkit.protocol.RecordingProtocol;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Two disks that lose power together: all that can be is seen, and nothing that can't. */
class DiskSetCrashStatesTest {
    private static final int SECTOR = 512;

    private final DiskSetLog log = new DiskSetLog();
    private final RecordingProtocol a = disk("a");
    private final RecordingProtocol b = disk("b");

    private RecordingProtocol disk(String name) {
        return new RecordingProtocol(
                new MemoryProtocol(MemoryFile.of(name, new SparseBytes(2 * SECTOR))), log.of(name));
    }

    private static void write(RecordingProtocol disk, int value) throws BlockException {
        byte[] content = new byte[SECTOR];
        Arrays.fill(content, (byte) value);
        disk.write(0, MemorySegment.ofArray(content));
    }

    /** First byte of each disk. */
    private Set<String> pictures() throws Exception {
        Set<String> seen = new TreeSet<>();
        Map<String, SparseBytes> initial = Map.of("a", new SparseBytes(2 * SECTOR), "b", new SparseBytes(2 * SECTOR));
        DiskSetCrashStates.forEachState(
                log,
                initial,
                1,
                400,
                (position, disks) -> seen.add(disks.get("a").image().read(0, 1)[0] + ""
                        + disks.get("b").image().read(0, 1)[0]));
        return seen;
    }

    @Test
    void withoutAFlushAnythingMayBeThere() throws Exception {
        write(a, 1);
        write(b, 1);
        assertEquals(Set.of("00", "01", "10", "11"), pictures());
    }

    @Test
    void whatWasDurableOnOneDiskComesBeforeWhatBeganLaterOnAnother() throws Exception {
        write(a, 1);
        a.flush();
        write(b, 1);
        assertEquals(Set.of("00", "10", "11"), pictures());
    }

    @Test
    void aFlushOfOneDiskSaysNothingOfAnother() throws Exception {
        write(a, 1);
        b.flush();
        write(b, 1);
        b.flush();
        write(a, 2);
        Set<String> seen = pictures();
        assertTrue(seen.containsAll(Set.of("00", "10", "01", "11", "21")), seen::toString);
        assertTrue(!seen.contains("20"), seen::toString);
    }
}
