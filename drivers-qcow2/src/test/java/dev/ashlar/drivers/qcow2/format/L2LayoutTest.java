package dev.ashlar.drivers.qcow2.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** What both kinds of L2 entries say. */
class L2LayoutTest {
    private static final long HOST = 0x50000;

    private final L2Layout standard = new L2Layout(new ClusterGeometry(16, 4), false);
    private final L2Layout extended = new L2Layout(new ClusterGeometry(16, 4, true), false);
    private final L2Layout external = new L2Layout(new ClusterGeometry(16, 4), true);

    @Test
    void anExtendedTableCoversHalfAsMuch() {
        assertEquals(512L << 20, standard.geometry().l1EntryCoverageBytes());
        assertEquals(256L << 20, extended.geometry().l1EntryCoverageBytes());
        assertEquals(4096, extended.geometry().l2Entries());
        assertEquals(2048, extended.geometry().subclusterBytes());
        assertEquals(1, standard.geometry().subclusters());
        assertEquals(31, extended.geometry().subclusterIndex(0x1ffff));
        assertEquals(0, standard.geometry().subclusterIndex(0x1ffff));
        assertEquals(0x7ff, extended.geometry().inSubcluster(0x1ffff));
        assertThrows(IllegalArgumentException.class, () -> new ClusterGeometry(13, 4, true));
    }

    @Test
    void aStandardWordReadsAsOneSubcluster() {
        assertEquals(1, standard.standardBitmap(HOST | TableEntry.COPIED));
        assertEquals(1L << 32, standard.standardBitmap(HOST | TableEntry.ZERO));
        assertEquals(1L << 32, standard.standardBitmap(TableEntry.ZERO));
        assertEquals(0, standard.standardBitmap(0));
        assertEquals(0, standard.standardBitmap(TableEntry.COMPRESSED | TableEntry.ZERO | HOST));
    }

    @Test
    void theZeroFlagComesFromTheBitmapOnlyInStandardWords() {
        assertEquals(HOST | TableEntry.ZERO, standard.encodeWord(HOST, 1L << 32));
        assertEquals(HOST, standard.encodeWord(HOST | TableEntry.ZERO, 1));
        assertEquals(HOST, extended.encodeWord(HOST, SubclusterBitmap.ALL_ZEROS));
        long compressed = TableEntry.COMPRESSED | 0x12345;
        assertEquals(compressed, standard.encodeWord(compressed, 0));
    }

    @Test
    void offsetZeroIsAClusterOfADataFileWhereItIsCopied() {
        assertTrue(external.namesCluster(TableEntry.COPIED));
        assertFalse(external.namesCluster(0));
        assertFalse(standard.namesCluster(TableEntry.COPIED));
        assertEquals(1, external.standardBitmap(TableEntry.COPIED));
    }

    @Test
    void impossibleCombinations() {
        assertTrue(extended.isImpossible(HOST, 1L << 32 | 1));
        assertTrue(extended.isImpossible(0, 1L << 31));
        assertFalse(extended.isImpossible(0, SubclusterBitmap.ALL_ZEROS));
        assertFalse(extended.isImpossible(HOST, 0xffff_ffffL));
        assertFalse(extended.isImpossible(TableEntry.COMPRESSED, 0));
    }

    @Test
    void rangesAndRuns() {
        assertEquals(0xffff_ffffL, SubclusterBitmap.range(0, 32));
        assertEquals(0xc, SubclusterBitmap.range(2, 4));
        assertEquals(0, SubclusterBitmap.range(7, 7));
        long bitmap = SubclusterBitmap.withZeros(SubclusterBitmap.range(0, 10), SubclusterBitmap.range(4, 6));
        assertEquals(0x30_0000_03cfL, bitmap);
        assertEquals(4, SubclusterBitmap.runEnd(bitmap, 0, 32));
        assertEquals(6, SubclusterBitmap.runEnd(bitmap, 4, 32));
        assertEquals(10, SubclusterBitmap.runEnd(bitmap, 6, 32));
        assertEquals(32, SubclusterBitmap.runEnd(bitmap, 10, 32));
        assertEquals(SubclusterBitmap.range(0, 10), SubclusterBitmap.withData(bitmap, SubclusterBitmap.range(4, 6)));
    }

    @Test
    void touchedSubclusters() {
        long start = 0x30000;
        assertEquals(0xffff_ffffL, extended.touched(start, start, start + 0x10000));
        assertEquals(1, extended.touched(start, start + 5, start + 6));
        assertEquals(0x6, extended.touched(start, start + 2048, start + 6144));
        assertEquals(0xf, extended.touched(start, start - 0x10000, start + 6145));
        assertEquals(1L << 31, extended.touched(start, start + 0xffff, start + 0x20000));
        assertEquals(1, standard.touched(start, start + 5, start + 6));
    }
}
