package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.spi.CheckReport;
import dev.ashlar.core.spi.Checkable.Repair;
import dev.ashlar.testkit.protocol.MemoryDriver;
import dev.ashlar.testkit.protocol.MemoryFile;
import dev.ashlar.testkit.protocol.MemoryProtocol;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tables that are cut off or name what can't be: who refuses them, who mends them, and what is marked as corrupt. */
class BrokenTablesTest {
    private static final int CLUSTER_BYTES = 4096;
    private static final int HEADER_INCOMPATIBLE = 72;
    private static final long CORRUPT_BIT = 2;

    private final MemoryFile file = MemoryFile.empty("disk");
    private final MemoryProtocol raw = new MemoryProtocol(file);
    private final List<String> notices = new ArrayList<>();
    private final BlockGraph graph;

    BrokenTablesTest() throws BlockException {
        graph = BlockGraph.create(List.of(new MemoryDriver().put(file), new Qcow2Driver()));
        graph.onNotice(notices::add);
        graph.createImage("disk", "qcow2", Map.of("size", "67108864", "cluster_size", "" + CLUSTER_BYTES));
        try (BlockBackend disk = graph.open("disk", OpenOptions.readWrite())) {
            disk.write(0, MemorySegment.ofArray(new byte[20 * CLUSTER_BYTES]));
        }
    }

    private long word(long offset) {
        byte[] bytes = new byte[8];
        raw.read(offset, MemorySegment.ofArray(bytes));
        return ByteBuffer.wrap(bytes).getLong();
    }

    private void putWord(long offset, long value) throws BlockException {
        raw.write(
                offset,
                MemorySegment.ofArray(ByteBuffer.allocate(8).putLong(value).array()));
    }

    private boolean isMarked() {
        return (word(HEADER_INCOMPATIBLE) & CORRUPT_BIT) != 0;
    }

    private CheckReport check(Repair repair) throws BlockException {
        OpenOptions options = repair == Repair.NONE ? OpenOptions.readOnly() : OpenOptions.readWrite();
        try (BlockBackend disk = graph.open("disk", options.checking(true))) {
            return disk.check(repair, line -> {});
        }
    }

    /** @param pointer in the header: of the L1 table, of the refcount table */
    @ParameterizedTest
    @ValueSource(ints = {40, 48})
    void aTableWithinWhichTheFileEndsIsRefusedAndMended(int pointer) throws BlockException {
        long end = (raw.lengthBytes() + CLUSTER_BYTES - 1) & -CLUSTER_BYTES;
        byte[] table = new byte[4 * 8];
        raw.read(word(pointer), MemorySegment.ofArray(table));
        raw.write(end, MemorySegment.ofArray(table));
        putWord(pointer, end);

        assertThrows(BlockException.class, () -> graph.open("disk", OpenOptions.readOnly()));
        assertTrue(check(Repair.NONE).corruptions() > 0);
        assertTrue(check(Repair.ALL).corruptionsFixed() > 0);
        CheckReport again = check(Repair.NONE);
        assertEquals(0, again.corruptions() + again.leaks() + again.checkErrors(), again::toString);
        try (BlockBackend disk = graph.open("disk", OpenOptions.readWrite())) {
            disk.write(1 << 25, MemorySegment.ofArray(new byte[CLUSTER_BYTES]));
        }
        assertEquals(0, check(Repair.NONE).corruptions());
    }

    @Test
    void aCheckMarksAnImageWithABlockThatIsNotAlignedIfItMayWrite() throws BlockException {
        long table = word(48);
        putWord(table, word(table) ^ 0x200);
        assertTrue(check(Repair.NONE).checkErrors() > 0);
        assertFalse(isMarked(), "marked although it was opened to be read");
        try (BlockBackend disk = graph.open("disk", OpenOptions.readWrite().checking(true))) {
            disk.check(Repair.NONE, line -> {});
        }
        assertTrue(isMarked());
        assertTrue(check(Repair.ALL).corruptionsFixed() > 0);
        assertFalse(isMarked(), "marked although it is mended");
        assertEquals(0, check(Repair.NONE).corruptions());
    }

    @Test
    void anEntryThatCanNotBeMarksTheImage() throws BlockException {
        long entry = (word(word(40)) & 0x00ff_ffff_ffff_fe00L) + 8;
        putWord(entry, word(entry) ^ 0x200);
        try (BlockBackend disk = graph.open("disk", OpenOptions.readWrite())) {
            MemorySegment cluster = MemorySegment.ofArray(new byte[CLUSTER_BYTES]);
            BlockException refused = assertThrows(BlockException.class, () -> disk.write(CLUSTER_BYTES, cluster));
            assertEquals(Kind.CORRUPT, refused.kind());
        } catch (BlockException onClose) {
            // a failed image may say so once more
            assertFalse(String.valueOf(onClose.getMessage()).isEmpty());
        }
        assertTrue(isMarked());
    }

    @Test
    void leftBehindBitmapsAreWarnedOf() throws BlockException {
        try (BlockBackend disk = graph.open("disk", OpenOptions.readWrite())) {
            disk.root().bitmaps().createPersistent("one", 65536);
        }
        assertEquals(List.of(), notices);
        putWord(88, 0);
        graph.open("disk", OpenOptions.readOnly()).close();
        assertEquals(2, notices.size(), notices::toString);
        assertTrue(
                notices.get(0).startsWith("warning: ") && notices.get(0).endsWith("inconsistent"), notices::toString);
    }
}
