package dev.ashlar.nativeio;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

@Timeout(60)
class ReadOnlyMappingTest {
    private static final long RESERVE_BYTES = 1L << 40;

    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    private LinuxFile open() throws ErrnoException {
        return LinuxFile.open(scratch.file("mapped").toString(), OpenFlag.READ_WRITE, OpenFlag.CREATE);
    }

    @Test
    void showsWhatIsWrittenWhileTheFileGrows() throws Exception {
        MemorySegment one = AlignedBuffers.allocate(Arena.ofAuto(), 4096).fill((byte) 1);
        try (LinuxFile file = open();
                ReadOnlyMapping mapping = ReadOnlyMapping.map(file, RESERVE_BYTES)) {
            MemorySegment segment = mapping.segment();
            assertEquals(RESERVE_BYTES, segment.byteSize());
            for (long offset = 0; offset < 1 << 20; offset += 4096) {
                assertEquals(4096, file.pwrite(one, offset));
                assertEquals(1, segment.get(ValueLayout.JAVA_BYTE, offset));
                assertEquals(1, segment.get(ValueLayout.JAVA_BYTE, offset + 4095));
            }
            // Far behind: not even the tables for these pages exist yet.
            assertEquals(4096, file.pwrite(one, 1L << 38));
            assertEquals(1, segment.get(ValueLayout.JAVA_BYTE, (1L << 38) + 17));
            assertEquals(0, mapping.advise(AccessAdvice.WILL_NEED, 5000, 10));
            assertEquals(0, mapping.sync(5000, 10));
            assertTrue(segment.isReadOnly());
            assertThrows(IndexOutOfBoundsException.class, () -> mapping.advise(AccessAdvice.RANDOM, RESERVE_BYTES, 1));
        }
    }

    @Test
    void directWritesAreSeenToo() throws Exception {
        MemorySegment two = AlignedBuffers.allocate(Arena.ofAuto(), 4096).fill((byte) 2);
        try (LinuxFile file = open();
                LinuxFile direct = file.reopen(OpenFlag.READ_WRITE, OpenFlag.DIRECT);
                ReadOnlyMapping mapping = ReadOnlyMapping.map(file, 1 << 20)) {
            file.ftruncate(8192);
            assertEquals(0, mapping.segment().get(ValueLayout.JAVA_BYTE, 4096));
            assertEquals(4096, direct.pwrite(two, 4096));
            assertEquals(2, mapping.segment().get(ValueLayout.JAVA_BYTE, 4096));
        }
    }

    @Test
    void behindTheEndIsAnErrorThatDoesNotKill() throws Exception {
        try (LinuxFile file = open();
                ReadOnlyMapping mapping = ReadOnlyMapping.map(file, RESERVE_BYTES)) {
            file.pwrite(AlignedBuffers.allocate(Arena.ofAuto(), 100), 0);
            assertEquals(0, mapping.segment().get(ValueLayout.JAVA_BYTE, 4095), "rest of the last page");
            assertThrows(InternalError.class, () -> touch(mapping.segment(), 4096));
            file.ftruncate(8192);
            assertEquals(0, touch(mapping.segment(), 4096));
            file.ftruncate(0);
            assertThrows(InternalError.class, () -> touch(mapping.segment(), 0));
        }
    }

    /** The error may come some statements late, so there are some. */
    private static int touch(MemorySegment segment, long offset) {
        int value = segment.get(ValueLayout.JAVA_BYTE, offset);
        Thread.yield();
        return value;
    }

    @Test
    void outlivesItsFileAndDiesWithClose() throws Exception {
        ReadOnlyMapping mapping;
        try (LinuxFile file = open()) {
            file.ftruncate(4096);
            mapping = ReadOnlyMapping.map(file, 4096);
        }
        MemorySegment segment = mapping.segment();
        assertEquals(0, segment.get(ValueLayout.JAVA_BYTE, 0));
        mapping.close();
        mapping.close();
        assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_BYTE, 0));
        assertThrows(IllegalStateException.class, () -> mapping.advise(AccessAdvice.NORMAL, 0, 1));
    }

    @Test
    void refusesWhatCannotBeMapped() throws Exception {
        try (LinuxFile file = open()) {
            assertThrows(IllegalArgumentException.class, () -> ReadOnlyMapping.map(file, 0));
            ErrnoException e = assertThrows(ErrnoException.class, () -> ReadOnlyMapping.map(file, 1L << 60));
            assertEquals(Errno.ENOMEM, e.errno());
        }
        try (LinuxFile folder = LinuxFile.open("/", OpenFlag.READ_ONLY, OpenFlag.DIRECTORY)) {
            ErrnoException e = assertThrows(ErrnoException.class, () -> ReadOnlyMapping.map(folder, 4096));
            assertEquals(Errno.ENODEV, e.errno());
        }
    }
}
