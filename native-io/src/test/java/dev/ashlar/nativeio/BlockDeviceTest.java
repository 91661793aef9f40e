package dev.ashlar.nativeio;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class BlockDeviceTest {
    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    @ParameterizedTest
    @ValueSource(ints = {512, 4096})
    void asksAndChangesALoopDevice(int sectorBytes) throws Exception {
        Path backing = scratch.file("backing");
        try (LinuxFile file = LinuxFile.open(backing.toString(), OpenFlag.READ_WRITE, OpenFlag.CREATE)) {
            file.pwriteFully(AlignedBuffers.allocate(Arena.ofAuto(), 1 << 20).fill((byte) 1), 0);
            file.ftruncate(4 << 20);
        }
        try (LoopDevice loop = LoopDevice.attach(backing, sectorBytes);
                LinuxFile file = LinuxFile.open(loop.name(), OpenFlag.READ_WRITE, OpenFlag.DIRECT)) {
            FileStatus status = file.status();
            assertTrue(status.isBlockDevice());
            BlockDevice device = BlockDevice.of(file);
            assertEquals(4 << 20, device.sizeBytes());
            assertEquals(4 << 20, file.length());
            assertEquals(sectorBytes, device.logicalSectorBytes());
            assertTrue(device.physicalSectorBytes() >= sectorBytes);
            assertFalse(device.isReadOnly());
            assertEquals(0, device.flushBuffers());
            if (status.directOffsetAlignmentBytes() >= 0) {
                assertEquals(sectorBytes, status.directOffsetAlignmentBytes());
            }

            MemorySegment sector = AlignedBuffers.allocate(Arena.ofAuto(), sectorBytes);
            assertEquals(sectorBytes, file.pread(sector, 0));
            assertEquals(-1, sector.mismatch(filled(sectorBytes)));
            assertEquals(0, device.zeroOut(0, sectorBytes));
            assertEquals(sectorBytes, file.pread(sector, 0));
            assertEquals(-1, sector.mismatch(AlignedBuffers.allocate(Arena.ofAuto(), sectorBytes)));
            assertEquals(-Errno.EINVAL, device.zeroOut(100, sectorBytes));
            assertEquals(-Errno.EINVAL, file.pread(sector, 256));

            assertTrue(device.discardGranularityBytes() > 0, "a loop device over a file can discard");
            assertTrue(device.discardMaxBytes() > 0);
            assertTrue(device.writeZeroesMaxBytes() >= 0);
            assertEquals(0, device.discard(65536, 65536));
            assertEquals(-Errno.ENOSPC, file.pwrite(sector, 4 << 20));
        }
    }

    private static MemorySegment filled(int lengthBytes) {
        return AlignedBuffers.allocate(Arena.ofAuto(), lengthBytes).fill((byte) 1);
    }

    @Test
    void refusesWhatIsNoBlockDevice() throws Exception {
        try (LinuxFile file = LinuxFile.open(scratch.file("plain").toString(), OpenFlag.READ_WRITE, OpenFlag.CREATE)) {
            ErrnoException e = assertThrows(ErrnoException.class, () -> BlockDevice.of(file));
            assertEquals(Errno.ENOTTY, e.errno());
        }
    }
}
