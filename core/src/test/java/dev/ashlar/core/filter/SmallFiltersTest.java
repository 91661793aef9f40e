package dev.ashlar.core.filter;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockQueue;
import dev.ashlar.core.toy.MemoryDisk;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** {@code blkverify}, {@code preallocate} and the null disks. */
@Timeout(60)
class SmallFiltersTest {
    @Test
    void differencesAreFound() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            MemoryDisk raw = world.memory.disk("raw", 8192);
            world.memory.disk("test", 8192);
            BlockBackend disk = world.openFile("blkverify:raw:test", "raw");
            FilterWorld.write(disk, 0, FilterWorld.pattern(8192, 1));
            assertArrayEquals(raw.bytes(), FilterWorld.read(disk, 0, 8192));
            raw.write(5000, MemorySegment.ofArray(new byte[] {1, 2, 3, 4, 5, 6, 7, 8}));
            assertEquals(4096, FilterWorld.read(disk, 0, 4096).length);
            BlockException difference = assertThrows(BlockException.class, () -> FilterWorld.read(disk, 4096, 4096));
            assertTrue(
                    difference.getMessage().startsWith("blkverify: read offset=4096 bytes=4096 contents mismatch at"),
                    difference.getMessage());
            assertEquals(difference.getMessage(), difference.reason());
            raw.hook = (operation, offset, length) -> {
                if (operation.equals("read")) {
                    throw new BlockException(BlockException.Kind.IO, "broken");
                }
            };
            assertEquals(
                    "blkverify: read offset=0 bytes=512 return value mismatch success != 'broken'",
                    assertThrows(BlockException.class, () -> FilterWorld.read(disk, 0, 512))
                            .getMessage());
        }
    }

    @Test
    void blkverifyNeedsBothFiles() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            world.memory.disk("raw", 8192);
            assertEquals(
                    "A block device must be specified for \"test\"",
                    assertThrows(
                                    BlockException.class,
                                    () -> world.open("driver=blkverify,raw.driver=mem,raw.filename=raw"))
                            .getMessage());
            assertEquals(
                    "blkverify requires raw copy and original image path",
                    assertThrows(BlockException.class, () -> world.openFile("blkverify:raw", "raw"))
                            .getMessage());
            assertEquals(0, world.memory.disks.get("raw").openInstances);
        }
    }

    @Test
    void aFileGrowsAheadAndIsCutAtTheEnd() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            world.toy.image("image", 4096, 1 << 20);
            MemoryDisk file = world.memory.disk("image", 0);
            BlockBackend disk = world.open("driver=toy,file.driver=preallocate,file.prealloc-size=100k,"
                    + "file.prealloc-align=64k,file.file.filename=image");
            byte[] content = FilterWorld.pattern(4096, 1);
            FilterWorld.write(disk, 0, content);
            assertEquals(128 << 10, file.length());
            assertEquals(4096, disk.root().children().get(0).node().lengthBytes());
            for (int i = 1; i < 40; i++) {
                FilterWorld.write(disk, i * 4096L, content);
            }
            // 128 KiB were enough for 32 clusters; the 33rd asked for 132 + 100 KiB.
            assertEquals(256 << 10, file.length());
            disk.close();
            assertEquals(40 * 4096, file.length());
            assertArrayEquals(content, FilterWorld.read(world.openFile("image", "toy"), 39 * 4096, 4096));
        }
    }

    @Test
    void growthThatFailsFailsNothing() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            world.toy.image("image", 4096, 1 << 20);
            MemoryDisk file = world.memory.disk("image", 0);
            file.hook = (operation, offset, length) -> {
                if (operation.equals("zero")) {
                    throw new BlockException(BlockException.Kind.NO_SPACE, "full");
                }
            };
            BlockBackend disk = world.open("driver=toy,file.driver=preallocate,file.file.filename=image");
            FilterWorld.write(disk, 0, FilterWorld.pattern(4096, 1));
            FilterWorld.write(disk, 4096, FilterWorld.pattern(4096, 2));
            disk.close();
            assertEquals(8192, file.length());
        }
    }

    @Test
    void preallocateRefusesOddSteps() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            world.memory.disk("disk", 512);
            assertEquals(
                    "prealloc-align parameter of preallocate filter is not aligned to 512",
                    assertThrows(
                                    BlockException.class,
                                    () -> world.open("driver=preallocate,prealloc-align=1000,file.filename=disk"))
                            .getMessage());
        }
    }

    @Test
    void nullDisksForget() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            BlockBackend disk = world.open("driver=null-co,size=1M,read-zeroes=on");
            assertEquals(1 << 20, disk.lengthBytes());
            FilterWorld.write(disk, 0, FilterWorld.pattern(4096, 1));
            assertArrayEquals(new byte[4096], FilterWorld.read(disk, 0, 4096));
            assertTrue(disk.status(0, 4096).zero());
            assertEquals(1 << 30, world.openFile("null-aio://", "raw").lengthBytes());
            assertEquals(
                    "The only allowed filename for this driver is 'null-co://'",
                    assertThrows(BlockException.class, () -> world.openFile("null-co://x", "raw"))
                            .getMessage());
        }
    }

    @Test
    void nullDisksTakeTheirTime() throws Exception {
        try (FilterWorld world = new FilterWorld();
                BlockBackend disk = world.open("driver=null-aio,size=1M,latency-ns=20000000");
                BlockQueue queue = disk.openQueue(8);
                Arena arena = Arena.ofShared()) {
            MemorySegment buffer = arena.allocate(8 * 4096, 4096);
            long begin = System.nanoTime();
            for (int i = 0; i < 8; i++) {
                assertTrue(queue.read(i * 4096L, buffer.asSlice(i * 4096L, 4096), i));
            }
            List<Long> tokens = new ArrayList<>();
            while (tokens.size() < 8) {
                queue.await(1, (token, result) -> {
                    assertEquals(4096, result);
                    tokens.add(token);
                });
            }
            long nanos = System.nanoTime() - begin;
            assertTrue(nanos >= 20_000_000, nanos + " ns");
            assertEquals(List.of(0L, 1L, 2L, 3L, 4L, 5L, 6L, 7L), tokens);
            long second = System.nanoTime();
            FilterWorld.read(disk, 0, 512);
            assertTrue(System.nanoTime() - second >= 20_000_000);
        }
    }
}
