package dev.ashlar.cli.img;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SparseScanTest {
    private static final int SECTOR = 512;

    @ParameterizedTest(name = "{0} at sector {1}, {2} sectors")
    @CsvSource({
        "dddddddd, 0, 8, d8",
        "........, 0, 8, z8",
        "dddddddd........dddddddd, 0, 8, d8 z8 d8",
        "d..............., 0, 8, d8 z8",
        "dddddddd.dddddddd, 0, 8, d17",
        "........dddddddd, 4, 8, z4 d12",
        "....dddd, 4, 8, z4 d4",
        "..d, 1, 1, z2 d1",
        "d.d, 0, 1, d1 z1 d1",
        "..........d, 0, 8, z8 d3",
    })
    void runs(String sectors, int firstSector, int minimum, String expected) {
        StringBuilder found = new StringBuilder();
        SparseScan scan = new SparseScan(buffer(sectors), (long) firstSector * SECTOR, minimum * SECTOR);
        while (scan.next()) {
            found.append(scan.isData() ? 'd' : 'z')
                    .append(scan.lengthBytes() / SECTOR)
                    .append(' ');
        }
        assertEquals(expected, found.toString().strip());
    }

    @Property
    void nothingIsLostAndNothingTwice(
            @ForAll @Size(min = 1, max = 64) List<Boolean> sectors,
            @ForAll @IntRange(max = 31) int firstSector,
            @ForAll @IntRange(min = 1, max = 32) int minimum) {
        StringBuilder text = new StringBuilder();
        sectors.forEach(data -> text.append(data ? 'd' : '.'));
        SparseScan scan = new SparseScan(buffer(text.toString()), (long) firstSector * SECTOR, minimum * SECTOR);
        long end = 0;
        while (scan.next()) {
            assertEquals(end, scan.start());
            assertTrue(scan.lengthBytes() > 0);
            end += scan.lengthBytes();
            if (!scan.isData()) {
                int from = (int) (scan.start() / SECTOR);
                int to = (int) (end / SECTOR);
                assertEquals(-1, text.substring(from, to).indexOf('d'));
            }
        }
        assertEquals((long) text.length() * SECTOR, end);
    }

    private static MemorySegment buffer(String sectors) {
        MemorySegment buffer = MemorySegment.ofArray(new byte[sectors.length() * SECTOR]);
        for (int i = 0; i < sectors.length(); i++) {
            if (sectors.charAt(i) == 'd') {
                buffer.set(ValueLayout.JAVA_BYTE, (long) i * SECTOR + i % SECTOR, (byte) 1);
            }
        }
        return buffer;
    }
}
