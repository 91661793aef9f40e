package dev.ashlar.core.bitmap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.BlockQueue;
import dev.ashlar.core.DrainedSection;
import dev.ashlar.core.FlatOptions;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.filter.CopyOnReadDriver;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.toy.MemoryDisk;
import dev.ashlar.core.toy.MemoryDriver;
import dev.ashlar.core.toy.RawToyDriver;
import dev.ashlar.core.toy.ToyDriver;
import dev.ashlar.core.toy.ToyImage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Every way on which bytes of a node change leads past its bitmaps, and no other does. */
@Timeout(60)
class DirtyBitmapWaysTest {
    private static final int SIZE = 1 << 18;

    private final MemoryDriver memory = new MemoryDriver();
    private final ToyDriver toy = new ToyDriver();
    private final BlockGraph graph =
            BlockGraph.create(List.of(memory, toy, new RawToyDriver(false), new CopyOnReadDriver()));

    @AfterEach
    void closeGraph() throws BlockException {
        graph.close();
    }

    private BlockBackend open(String keyval, boolean unmap) throws BlockException {
        return graph.open(OpenOptions.readWrite().unmap(unmap).driverOptions(FlatOptions.ofKeyval(keyval)));
    }

    private ToyImage toyImage() {
        memory.disk("disk", 0);
        return toy.image("disk", 4096, SIZE);
    }

    private static final String TOY = "driver=toy,file.driver=mem,file.filename=disk";

    private static List<String> take(DirtyBitmap bitmap) throws BlockException {
        List<String> ranges = DirtyBitmapRulesTest.ranges(bitmap);
        bitmap.clear();
        return ranges;
    }

    private static void write(BlockBackend backend, long offset, int length) throws BlockException {
        backend.write(offset, MemorySegment.ofArray(new byte[length]));
    }

    @Test
    void blockingRequests() throws Exception {
        toyImage();
        try (BlockBackend backend = open(TOY, true)) {
            DirtyBitmap b = backend.root().bitmaps().create("b", 512);
            write(backend, 8192, 4096);
            assertEquals(List.of("8192+4096"), take(b), "planned");
            write(backend, 8192, 4096);
            assertEquals(List.of("8192+4096"), take(b), "in place");
            write(backend, 8193, 3);
            assertEquals(List.of("8192+512"), take(b), "padded");
            write(backend, 40_000, 8192);
            assertEquals(List.of("39936+8704"), take(b), "with copied edges");
            backend.writeZeroes(1000, 10_000, true);
            assertEquals(List.of("512+10752"), take(b));
            backend.discard(8192, 4096);
            assertEquals(List.of("8192+4096"), take(b));
            backend.read(0, MemorySegment.ofArray(new byte[SIZE]));
            backend.flush();
            write(backend, 0, 0);
            assertEquals(List.of(), take(b));
        }
        try (BlockBackend backend = open(TOY, false)) {
            DirtyBitmap b = backend.root().bitmaps().create("b", 512);
            backend.discard(8192, 4096);
            assertEquals(List.of(), take(b), "a discard that is not carried out changes nothing");
        }
    }

    @Test
    void queues() throws Exception {
        toyImage();
        MemoryDisk disk = memory.disks.get("disk");
        disk.limits = new BlockLimits(512, 512, 1 << 20, 4096, 4096);
        try (BlockBackend backend = open(TOY, true);
                Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(4096, 4096);
            backend.write(0, page);
            DirtyBitmap b = backend.root().bitmaps().create("b", 512);
            DirtyBitmap file = backend.root().children().get(0).node().bitmaps().create("f", 512);
            try (BlockQueue queue = backend.openQueue(4)) {
                AtomicReference<Thread> by = new AtomicReference<>();
                disk.hook = (operation, offset, length) -> by.set(Thread.currentThread());
                queue.write(512, page.asSlice(0, 1024), 1);
                queue.submit();
                queue.await(1, (token, result) -> {
                    assertEquals(1024, result);
                    assertEquals(1024, b.dirtyBytes(), "marked before the completion is seen");
                });
                assertEquals(Thread.currentThread(), by.get(), "went through the ring");
                assertEquals(List.of("512+1024"), take(b));
                assertEquals(1024, file.dirtyBytes());
                file.clear();
                queue.write(16384, page, 2);
                queue.await(1, (token, result) -> assertEquals(4096, result));
                assertEquals(List.of("16384+4096"), take(b), "by a worker");
                assertTrue(file.dirtyBytes() >= 4096);
                disk.hook = (operation, offset, length) -> {
                    if (!operation.equals("flush")) {
                        throw new BlockException(Kind.IO, "broken " + operation);
                    }
                };
                queue.write(512, page.asSlice(0, 1024), 3);
                queue.submit();
                queue.await(1, (token, result) -> assertEquals(-5, result));
                assertEquals(List.of("512+1024"), take(b), "nobody knows what a failed write left");
                queue.read(512, page.asSlice(0, 1024), 4);
                queue.await(1, (token, result) -> assertEquals(-5, result));
                assertEquals(List.of(), take(b));
            }
        }
    }

    @Test
    void writesThatFail() throws Exception {
        toyImage();
        try (BlockBackend backend = open(TOY, true)) {
            write(backend, 0, 4096);
            DirtyBitmap b = backend.root().bitmaps().create("b", 512);
            memory.disks.get("disk").hook = (operation, offset, length) -> {
                if (!operation.equals("flush")) {
                    throw new BlockException(Kind.IO, "broken " + operation);
                }
            };
            assertThrows(BlockException.class, () -> write(backend, 0, 512));
            assertThrows(BlockException.class, () -> write(backend, 65536, 512));
            assertEquals(List.of("0+512", "65536+512"), take(b));
            assertThrows(BlockException.class, () -> write(backend, SIZE, 512));
            assertEquals(List.of(), take(b), "refused before it touched anything");
        }
    }

    @Test
    void throughFiltersAndBelowThem() throws Exception {
        toyImage();
        try (BlockBackend backend = open(
                "driver=copy-on-read,file.driver=toy,file.file.driver=copy-on-read,file.file.file.driver=mem"
                        + ",file.file.file.filename=disk",
                true)) {
            DirtyBitmap filter = backend.root().bitmaps().create("b", 512);
            var format = backend.root().children().get(0).node();
            DirtyBitmap content = format.bitmaps().create("b", 512);
            var lowFilter = format.children().get(0).node();
            DirtyBitmap low = lowFilter.bitmaps().create("b", 512);
            DirtyBitmap file = lowFilter.children().get(0).node().bitmaps().create("b", 512);
            write(backend, 8192, 4096);
            assertEquals(List.of("8192+4096"), take(filter));
            assertEquals(List.of("8192+4096"), take(content));
            assertTrue(low.dirtyBytes() >= 4096);
            assertEquals(take(low), take(file), "host offsets, tables included");
            backend.writeZeroes(8192, 4096, true);
            backend.discard(16384, 4096);
            assertEquals(List.of("8192+4096", "16384+4096"), take(filter));
            assertEquals(List.of("8192+4096", "16384+4096"), take(content));
        }
    }

    /** Copy on read changes where the content is, not what it is. */
    @Test
    void copyOnReadIsNoWrite() throws Exception {
        memory.disk("base", SIZE).write(0, MemorySegment.ofArray(new byte[] {1, 2, 3}));
        toyImage().backing = new ImageReference("base", "raw");
        try (BlockBackend backend =
                open("driver=copy-on-read,file.driver=toy,file.file.driver=mem" + ",file.file.filename=disk", true)) {
            var content = backend.root().children().get(0).node();
            DirtyBitmap b = content.bitmaps().create("b", 512);
            DirtyBitmap file = content.children().get(0).node().bitmaps().create("b", 512);
            backend.read(0, MemorySegment.ofArray(new byte[4096]));
            assertTrue(file.dirtyBytes() >= 4096, "it was copied");
            assertEquals(List.of(), take(b));
        }
    }

    /** A bit may be set only when the bytes are there: who clears and reads must not read the old ones and find no bit later. */
    @Test
    void theBitComesAfterTheBytes() throws Exception {
        toyImage();
        try (BlockBackend backend = open(TOY, true)) {
            write(backend, 0, 4096);
            DirtyBitmap b = backend.root().bitmaps().create("b", 512);
            CountDownLatch atTheDisk = new CountDownLatch(1);
            CountDownLatch goOn = new CountDownLatch(1);
            memory.disks.get("disk").hook = (operation, offset, length) -> {
                if (operation.equals("write")) {
                    atTheDisk.countDown();
                    await(goOn);
                }
            };
            Thread writer = Thread.ofVirtual().start(() -> {
                try {
                    write(backend, 0, 512);
                } catch (BlockException e) {
                    throw new AssertionError(e);
                }
            });
            await(atTheDisk);
            assertEquals(0, b.dirtyBytes(), "the bytes are not there yet");
            b.clear();
            goOn.countDown();
            writer.join();
            assertEquals(512, b.dirtyBytes());
        }
    }

    /** What began before a bitmap was created and ends later is in it; in a drained section nothing is on its way. */
    @Test
    void creationMissesNothing() throws Exception {
        toyImage();
        try (BlockBackend backend = open(TOY, true)) {
            write(backend, 0, 8192);
            CountDownLatch atTheDisk = new CountDownLatch(1);
            CountDownLatch goOn = new CountDownLatch(1);
            memory.disks.get("disk").hook = (operation, offset, length) -> {
                if (operation.equals("write")) {
                    atTheDisk.countDown();
                    await(goOn);
                }
            };
            Thread writer = Thread.ofVirtual().start(() -> {
                try {
                    write(backend, 0, 512);
                } catch (BlockException e) {
                    throw new AssertionError(e);
                }
            });
            await(atTheDisk);
            DirtyBitmap early = backend.root().bitmaps().create("early", 512);
            Thread opener = Thread.ofPlatform().start(() -> {
                try (DrainedSection still = backend.drain()) {
                    assertNotNull(still);
                    backend.root().bitmaps().create("drained", 512);
                } catch (BlockException e) {
                    throw new AssertionError(e);
                }
            });
            goOn.countDown();
            opener.join();
            writer.join();
            write(backend, 4096, 512);
            assertEquals(List.of("0+512", "4096+512"), take(early));
            assertEquals(List.of("4096+512"), take(backend.root().bitmaps().require("drained")));
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(30, TimeUnit.SECONDS));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
