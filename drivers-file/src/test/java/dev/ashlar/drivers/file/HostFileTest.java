package dev.ashlar.drivers.file;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.BlockDriver;
import dev.ashlar.core.spi.HostExtent;
import dev.ashlar.core.spi.IoQueue;
import dev.ashlar.core.spi.MetadataAccess;
import dev.ashlar.core.spi.OpenRequest.Flag;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.spi.ProtocolInstance;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class HostFileTest {
    /** Ways to open. */
    enum Mode {
        BUFFERED,
        DIRECT
    }

    private static final int MIB = 1 << 20;

    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    private ProtocolInstance create(Mode mode, long sizeBytes) throws BlockException {
        String name = scratch.file("image").toString();
        Host.create(new FileDriver(), Map.of("filename", name, "size", "" + sizeBytes));
        return mode == Mode.DIRECT
                ? Host.open(new FileDriver(), name, Flag.DIRECT, Flag.UNMAP)
                : Host.open(new FileDriver(), name, Flag.UNMAP);
    }

    private static void assertContent(ProtocolInstance file, long offset, int lengthBytes, int value)
            throws BlockException {
        MemorySegment read = Host.filled(lengthBytes, 0xee);
        file.read(offset, read);
        assertEquals(-1, read.mismatch(Host.filled(lengthBytes, value)), "content at " + offset);
    }

    @Test
    void bothDriversAreFoundAsServices() {
        Set<String> provided = FileDriver.class.getModule().getDescriptor().provides().stream()
                .filter(service -> service.service().equals(BlockDriver.class.getName()))
                .flatMap(service -> service.providers().stream())
                .collect(Collectors.toSet());
        assertEquals(Set.of(FileDriver.class.getName(), HostDeviceDriver.class.getName()), provided);
        assertTrue(new HostDeviceDriver().probeFileName("/nonexistent") < new FileDriver().probeFileName("/x"));
    }

    @ParameterizedTest
    @EnumSource
    void readsWhatItWroteAndZerosBehindTheEnd(Mode mode) throws Exception {
        ProtocolInstance file = create(mode, MIB);
        int unit = file.limits().requestAlignmentBytes();
        assertEquals(mode == Mode.DIRECT, unit >= 512);
        file.write(65536, Host.filled(65536, 7));
        assertContent(file, 65536, 65536, 7);
        assertContent(file, 0, 65536, 0);
        assertContent(file, MIB - 4096, 8192, 0);
        assertContent(file, 4L * MIB, 4096, 0);
        file.write(2L * MIB, Host.filled(4096, 8));
        assertEquals(2L * MIB + 4096, file.lengthBytes(), "a regular file grows");
        file.flush();
        file.syncName();
        assertTrue(file.allocatedBytes() >= 65536 + 4096);
        file.close();
    }

    @ParameterizedTest
    @EnumSource
    void takesAnyMemory(Mode mode) throws Exception {
        ProtocolInstance file = create(mode, MIB);
        MemorySegment heap = MemorySegment.ofArray(new byte[4096]).fill((byte) 5);
        file.write(0, heap);
        heap.fill((byte) 0);
        file.read(0, heap);
        assertEquals(-1, heap.mismatch(Host.filled(4096, 5)));
        Thread virtual = Thread.ofVirtual().start(() -> {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment confined = arena.allocate(8192, 4096);
                file.read(0, confined);
                assertEquals(5, confined.get(ValueLayout.JAVA_BYTE, 4095));
                file.write(8192, Host.filled(4096, 6));
                file.flush();
            } catch (BlockException e) {
                throw new AssertionError(e);
            }
        });
        virtual.join();
        assertContent(file, 8192, 4096, 6);
        file.close();
    }

    @ParameterizedTest
    @EnumSource
    void knowsItsHoles(Mode mode) throws Exception {
        ProtocolInstance file = create(mode, MIB);
        assertEquals(new HostExtent(true, MIB), file.extentAt(0, MIB));
        file.write(262144, Host.filled(65536, 1));
        assertEquals(new HostExtent(true, 262144), file.extentAt(0, MIB));
        assertEquals(new HostExtent(true, 1000), file.extentAt(0, 1000));
        assertEquals(new HostExtent(false, 65536), file.extentAt(262144, MIB - 262144));
        assertEquals(new HostExtent(false, 65535), file.extentAt(262145, MIB - 262145));
        assertEquals(new HostExtent(true, 100), file.extentAt(MIB - 100, 100));
        file.discard(262144, 65536);
        assertEquals(new HostExtent(true, MIB), file.extentAt(0, MIB));
        file.close();
    }

    @ParameterizedTest
    @EnumSource
    void zerosWithAndWithoutGivingSpaceBack(Mode mode) throws Exception {
        ProtocolInstance file = create(mode, MIB);
        file.write(0, Host.filled(MIB, 3));
        file.flush();
        long allocated = file.allocatedBytes();
        file.writeZeroes(65536, 131072, false);
        assertContent(file, 65536, 131072, 0);
        assertContent(file, 0, 65536, 3);
        assertEquals(allocated, file.allocatedBytes(), "space is kept");
        file.writeZeroes(65536, 131072, true);
        assertContent(file, 65536, 131072, 0);
        assertEquals(allocated - 131072, file.allocatedBytes(), "space is given back");
        file.writeZeroes(MIB, 65536, true);
        assertEquals(MIB + 65536, file.lengthBytes());
        file.writeZeroes(2L * MIB, 65536, false);
        assertEquals(2L * MIB + 65536, file.lengthBytes());
        assertContent(file, 2L * MIB, 65536, 0);
        file.close();
    }

    @Test
    void discardsOnlyWhenAskedTo() throws Exception {
        create(Mode.BUFFERED, MIB).close();
        ProtocolInstance file =
                Host.open(new FileDriver(), scratch.file("image").toString());
        file.write(0, Host.filled(MIB, 3));
        file.discard(0, MIB);
        assertContent(file, 0, MIB, 3);
        file.close();
    }

    @Test
    void setsSizesWithPreallocation() throws Exception {
        ProtocolInstance file = create(Mode.BUFFERED, MIB);
        file.truncate(2L * MIB, Preallocation.OFF);
        assertEquals(0, file.allocatedBytes());
        file.truncate(3L * MIB, Preallocation.FALLOC);
        assertEquals(MIB, file.allocatedBytes());
        file.truncate(4L * MIB, Preallocation.FULL);
        assertEquals(2L * MIB, file.allocatedBytes());
        assertEquals(4L * MIB, file.lengthBytes());
        BlockException e = assertThrows(BlockException.class, () -> file.truncate(MIB, Preallocation.FALLOC));
        assertEquals("Preallocation can't be used for shrinking files", e.getMessage());
        e = assertThrows(BlockException.class, () -> file.truncate(5L * MIB, Preallocation.METADATA));
        assertEquals("Unsupported preallocation mode: metadata", e.getMessage());
        file.truncate(1000, Preallocation.OFF);
        assertEquals(1000, file.lengthBytes());
        file.close();
    }

    @ParameterizedTest
    @EnumSource
    void metadataSharesTheContent(Mode mode) throws Exception {
        ProtocolInstance file = create(mode, MIB);
        MetadataAccess metadata = file.metadata();
        metadata.write(5, Host.filled(10, 9));
        MemorySegment head = Host.filled(4096, 0);
        file.read(0, head);
        assertEquals(9, head.get(ValueLayout.JAVA_BYTE, 14));
        assertEquals(0, head.get(ValueLayout.JAVA_BYTE, 15));
        file.write(8192, Host.filled(4096, 4));
        MemorySegment odd = MemorySegment.ofArray(new byte[3]);
        metadata.read(8193, odd);
        assertEquals(4, odd.get(ValueLayout.JAVA_BYTE, 2));
        try (MetadataAccess.MappedView view = metadata.map(1L << 40).orElseThrow()) {
            assertEquals(4, view.segment().get(ValueLayout.JAVA_BYTE, 12287));
            metadata.write(5L * MIB, odd);
            assertEquals(4, view.segment().get(ValueLayout.JAVA_BYTE, 5L * MIB + 2), "pages appear as it grows");
        }
        BlockException e = assertThrows(BlockException.class, () -> metadata.read(5L * MIB + 1, Host.filled(3, 0)));
        assertEquals(Kind.IO, e.kind());
        file.close();
    }

    @ParameterizedTest
    @EnumSource
    void queueMovesDataAndFlushes(Mode mode) throws Exception {
        ProtocolInstance file = create(mode, MIB);
        Map<Long, Integer> results = new HashMap<>();
        try (IoQueue queue = file.openQueue(4)) {
            assertEquals(4, queue.capacity());
            assertTrue(queue.write(0, Host.filled(4096, 1), 10));
            assertTrue(queue.write(4096, Host.filled(4096, 2), 11));
            while (queue.inFlight() > 0) {
                queue.await(1, results::put);
            }
            assertTrue(queue.flush(12));
            MemorySegment read = Host.filled(8192, 0);
            assertTrue(queue.read(0, read, 13));
            assertTrue(queue.read(MIB - 4096, Host.filled(8192, 0), 14));
            assertTrue(queue.flush(15));
            assertFalse(queue.flush(16), "full");
            assertEquals(4, queue.await(4, results::put));
            assertEquals(Map.of(10L, 4096, 11L, 4096, 12L, 0, 13L, 8192, 14L, 4096, 15L, 0), results);
            assertEquals(2, read.get(ValueLayout.JAVA_BYTE, 4096));
            queue.wakeup();
            assertEquals(0, queue.await(1, results::put));
        }
        file.close();
    }

    /** An image that could not be created at {@code /dev/null} takes no device with it. */
    @Test
    void deletesRegularFilesOnly() throws Exception {
        Path device = Files.createSymbolicLink(scratch.file("device"), Path.of("/dev/null"));
        Path folder = Files.createDirectory(scratch.file("folder"));
        Path regular = Files.createFile(scratch.file("regular"));
        FileDriver driver = new FileDriver();
        for (Path each : List.of(device, folder, regular)) {
            driver.delete(each.toString());
        }
        assertTrue(Files.isSymbolicLink(device));
        assertTrue(Files.isDirectory(folder));
        assertFalse(Files.exists(regular));
    }

    @Test
    void refusesToOpenWhatIsNotThere() throws Exception {
        FileDriver driver = new FileDriver();
        String missing = scratch.file("missing").toString();
        BlockException e = assertThrows(BlockException.class, () -> Host.open(driver, missing));
        assertEquals("Could not open '" + missing + "': No such file or directory", e.getMessage());
        assertEquals(Kind.NOT_FOUND, e.kind());
        e = assertThrows(BlockException.class, () -> Host.open(driver, "/var", Flag.READ_ONLY));
        assertEquals("'file' driver requires '/var' to be a regular file", e.getMessage());
        e = assertThrows(BlockException.class, () -> Host.open(driver, "/proc/version", Flag.READ_ONLY, Flag.DIRECT));
        assertEquals("Could not open '/proc/version': filesystem does not support O_DIRECT", e.getMessage());
        e = assertThrows(
                BlockException.class, () -> Host.create(driver, Map.of("filename", missing + "/x", "size", "0")));
        assertEquals("Could not create '" + missing + "/x': No such file or directory", e.getMessage());
        e = assertThrows(
                BlockException.class,
                () -> driver.open(new Host.Request(Map.of("filename", missing, "colour", "red"), Set.of())));
        assertEquals("Block protocol 'file' doesn't support the option 'colour'", e.getMessage());
        Path image = scratch.file("image");
        Files.write(image, new byte[512]);
        ProtocolInstance readOnly = Host.open(driver, image.toString(), Flag.READ_ONLY);
        assertThrows(BlockException.class, () -> readOnly.write(0, Host.filled(512, 1)));
        readOnly.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 4096})
    void drivesBlockDevices(int sectorBytes) throws Exception {
        Path backing = scratch.file("backing");
        Files.write(backing, new byte[4 * MIB]);
        String loop = Host.attachLoop(backing, sectorBytes);
        try {
            HostDeviceDriver driver = new HostDeviceDriver();
            assertEquals(100, driver.probeFileName(loop));
            assertThrows(BlockException.class, () -> Host.open(new FileDriver(), loop));
            BlockException tooLarge = assertThrows(
                    BlockException.class, () -> Host.create(driver, Map.of("filename", loop, "size", "" + 5 * MIB)));
            assertEquals("Cannot grow device files", tooLarge.getMessage());
            Host.create(driver, Map.of("filename", loop, "size", "" + 4 * MIB));
            for (Flag[] flags : new Flag[][] {{Flag.DIRECT, Flag.UNMAP}, {Flag.UNMAP}}) {
                ProtocolInstance device = Host.open(driver, loop, flags);
                boolean direct = flags.length == 2;
                assertEquals(direct ? sectorBytes : 1, device.limits().requestAlignmentBytes());
                assertEquals(4L * MIB, device.lengthBytes());
                device.write(0, Host.filled(MIB, 6));
                assertContent(device, 0, MIB, 6);
                device.writeZeroes(65536, 65536, false);
                assertContent(device, 65536, 65536, 0);
                device.writeZeroes(0, 65536, true);
                assertContent(device, 0, 65536, 0);
                if (!direct) {
                    device.writeZeroes(131073, 3 * 4096 - 2, true);
                    assertContent(device, 131072, 1, 6);
                    assertContent(device, 131073, 3 * 4096 - 2, 0);
                    assertContent(device, 131072 + 3 * 4096 - 1, 1, 6);
                }
                device.discard(MIB / 2, 65536);
                device.flush();
                assertEquals(new HostExtent(false, MIB), device.extentAt(0, MIB));
                BlockException e =
                        assertThrows(BlockException.class, () -> device.write(4L * MIB, Host.filled(sectorBytes, 1)));
                assertEquals(Kind.NO_SPACE, e.kind());
                assertThrows(BlockException.class, () -> device.truncate(5L * MIB, Preallocation.OFF));
                device.truncate(MIB, Preallocation.OFF);
                assertEquals(4L * MIB, device.lengthBytes());
                device.metadata().write(MIB - 3, Host.filled(6, 2));
                MemorySegment around = Host.filled(8192, 0);
                device.read(MIB - 4096, around);
                assertEquals(2, around.get(ValueLayout.JAVA_BYTE, 4098));
                device.close();
            }
        } finally {
            Host.detach(loop);
        }
    }
}
