package dev.ashlar.core.bitmap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.toy.World;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

/** What each state of a bitmap allows and forbids, in QEMU's words. */
@Timeout(60)
class DirtyBitmapRulesTest {
    private static final long SIZE = 1 << 20;
    private static final String IN_USE = "Bitmap 'b' is currently in use by another operation and cannot be used";

    private static void fails(Kind kind, String message, Executable action) {
        BlockException e = assertThrows(BlockException.class, action);
        assertEquals(message, e.getMessage());
        assertEquals(kind, e.kind());
    }

    private static void write(BlockBackend backend, long offset, int length) throws BlockException {
        backend.write(offset, MemorySegment.ofArray(new byte[length]));
    }

    static List<String> ranges(DirtyBitmap bitmap) throws BlockException {
        List<String> ranges = new ArrayList<>();
        bitmap.forEachDirtyRange((offset, length) -> ranges.add(offset + "+" + length));
        return ranges;
    }

    @Test
    void namesAndGranularities() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, SIZE);
            try (BlockBackend backend = world.open("disk", "toy")) {
                NodeBitmaps bitmaps = backend.root().bitmaps();
                assertTrue(bitmaps.isEmpty());
                DirtyBitmap b = bitmaps.create("b", 1024);
                assertEquals(1024, b.granularityBytes());
                assertTrue(b.isEnabled() && b.isRecording());
                assertFalse(b.isBusy() || b.isReadOnly() || b.isInconsistent() || b.isPersistent());
                fails(Kind.EXISTS, "Bitmap already exists: b", () -> bitmaps.create("b"));
                fails(Kind.INVALID, "Bitmap name cannot be empty", () -> bitmaps.create(""));
                String longName = "ü".repeat(511) + "xx";
                fails(Kind.INVALID, "Bitmap name too long: " + longName, () -> bitmaps.create(longName));
                bitmaps.remove(bitmaps.create(longName.substring(1)));
                for (long wrong : new long[] {0, 256, 513, 1000, 1L << 32, -512}) {
                    fails(
                            Kind.INVALID,
                            "Granularity must be power of 2 and at least 512",
                            () -> bitmaps.create("c", wrong));
                }
                assertEquals(1L << 31, bitmaps.create("c", 1L << 31).granularityBytes());
                DirtyBitmap first = bitmaps.create(null, 512);
                DirtyBitmap second = bitmaps.create(null);
                assertNull(first.name());
                assertEquals(List.of(b, bitmaps.require("c"), first, second), bitmaps.list());
                assertSame(b, bitmaps.find("b").orElseThrow());
                fails(Kind.NOT_FOUND, "Dirty bitmap 'x' not found", () -> bitmaps.require("x"));
                fails(
                        Kind.UNSUPPORTED,
                        "Can't store persistent bitmaps to " + backend.root().name() + ": Operation not supported",
                        () -> bitmaps.createPersistent("p", 512));
                for (DirtyBitmap bitmap : bitmaps.list()) {
                    bitmaps.remove(bitmap);
                }
                assertTrue(bitmaps.isEmpty());
            }
        }
    }

    @Test
    void theDefaultGranularityIsTheClusterSizeWithin4And64KiB() throws Exception {
        try (World world = new World()) {
            world.toyImage("small", 512, SIZE);
            world.toyImage("middle", 16384, SIZE);
            world.toyImage("large", 1 << 18, SIZE);
            world.memory.disk("plain", SIZE);
            assertEquals(4096, defaultOf(world, "small", "toy"));
            assertEquals(16384, defaultOf(world, "middle", "toy"));
            assertEquals(65536, defaultOf(world, "large", "toy"));
            assertEquals(65536, defaultOf(world, "plain", "raw"));
        }
    }

    private static long defaultOf(World world, String name, String format) throws BlockException {
        try (BlockBackend backend = world.open(name, format)) {
            return backend.root().bitmaps().create("b").granularityBytes();
        }
    }

    @Test
    void enabledOnesRecordAndDisabledOnesDoNot() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, SIZE);
            try (BlockBackend backend = world.open("disk", "toy")) {
                NodeBitmaps bitmaps = backend.root().bitmaps();
                DirtyBitmap b = bitmaps.create("b", 4096);
                write(backend, 5000, 4000);
                write(backend, 100, 1);
                assertEquals(List.of("0+12288"), ranges(b));
                assertEquals(12288, b.dirtyBytes());
                assertTrue(b.isDirty(12287));
                assertFalse(b.isDirty(12288));
                b.disable();
                write(backend, SIZE - 1, 1);
                assertEquals(List.of("0+12288"), ranges(b));
                b.enable();
                write(backend, SIZE - 1, 1);
                assertEquals(List.of("0+12288", (SIZE - 4096) + "+4096"), ranges(b));
                assertEquals(SIZE - 4096, b.nextDirty(12288, Long.MAX_VALUE));
                assertEquals(-1, b.nextDirty(12288, SIZE - 4096 - 12288));
                assertEquals(12288, b.nextClean(1, SIZE));
                assertEquals(-1, b.nextClean(1, 12287));
                b.clear(1, 8191);
                assertEquals(List.of("0+4096", "8192+4096", (SIZE - 4096) + "+4096"), ranges(b));
                b.set(4095, 2);
                assertEquals(List.of("0+12288", (SIZE - 4096) + "+4096"), ranges(b));
                b.clear();
                assertEquals(0, b.dirtyBytes());
                bitmaps.remove(b);
                write(backend, 0, 1);
                assertEquals(0, b.dirtyBytes(), "who is removed hears of nothing");
            }
        }
    }

    @Test
    void mergeTakesAnyGranularityAndAllSourcesOrNone() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, SIZE);
            world.toyImage("other", 4096, SIZE);
            world.toyImage("longer", 4096, 2 * SIZE);
            try (BlockBackend backend = world.open("disk", "toy");
                    BlockBackend other = world.open("other", "toy");
                    BlockBackend longer = world.open("longer", "toy")) {
                NodeBitmaps bitmaps = backend.root().bitmaps();
                DirtyBitmap b = bitmaps.create("b", 4096);
                DirtyBitmap fine = bitmaps.create("fine", 512);
                DirtyBitmap coarse = other.root().bitmaps().create("coarse", 65536);
                DirtyBitmap stranger = longer.root().bitmaps().create("stranger", 4096);
                b.disable();
                write(backend, 10_000, 1);
                write(other, 70_000, 1);
                fine.disable();
                b.merge(List.of(fine, coarse));
                assertEquals(List.of("8192+4096", "65536+65536"), ranges(b));
                fine.merge(List.of(coarse, b));
                assertEquals(List.of("8192+4096", "65536+65536"), ranges(fine));
                b.clear();
                write(longer, 0, 1);
                fails(
                        Kind.INVALID,
                        "Bitmaps are of different sizes (destination size is 1048576, source size is 2097152) and"
                                + " can't be merged",
                        () -> b.merge(List.of(fine, stranger)));
                assertEquals(0, b.dirtyBytes(), "the source before the wrong one did nothing either");
                coarse.setBusy(true);
                fails(
                        Kind.BUSY,
                        "Bitmap 'coarse' is currently in use by another operation and cannot be used",
                        () -> b.merge(List.of(fine, coarse)));
                assertEquals(0, b.dirtyBytes());
            }
        }
    }

    @Test
    void successorsThatSucceed() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, SIZE);
            try (BlockBackend backend = world.open("disk", "toy")) {
                NodeBitmaps bitmaps = backend.root().bitmaps();
                DirtyBitmap b = bitmaps.create("b", 4096);
                write(backend, 0, 1);
                DirtyBitmap next = b.createSuccessor();
                assertTrue(b.hasSuccessor() && b.isBusy() && b.isRecording());
                assertFalse(b.isEnabled());
                write(backend, 8192, 1);
                assertEquals(List.of("0+4096"), ranges(b));
                assertEquals(List.of("8192+4096"), ranges(next));
                requireInUse(bitmaps, b);
                b.setBusy(false);
                assertTrue(b.isBusy(), "as long as there is a successor");
                assertSame(next, b.abdicate());
                assertEquals("b", next.name());
                assertEquals(List.of(next), bitmaps.list());
                assertNull(b.name());
                write(backend, 16384, 1);
                assertEquals(List.of("8192+4096", "16384+4096"), ranges(next));
                fails(Kind.INVALID, "Cannot relinquish control if there's no successor present", next::abdicate);
                fails(Kind.INVALID, "Cannot reclaim a successor when none is present", next::reclaim);
            }
        }
    }

    private static void requireInUse(NodeBitmaps bitmaps, DirtyBitmap b) throws BlockException {
        fails(Kind.BUSY, "Cannot create a successor for a bitmap that is in-use by an operation", b::createSuccessor);
        fails(Kind.BUSY, IN_USE, b::enable);
        fails(Kind.BUSY, IN_USE, b::disable);
        fails(Kind.BUSY, IN_USE, b::clear);
        fails(Kind.BUSY, IN_USE, () -> b.merge(List.of()));
        fails(Kind.BUSY, IN_USE, () -> bitmaps.remove(b));
    }

    @Test
    void successorsThatFail() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, SIZE);
            try (BlockBackend backend = world.open("disk", "toy")) {
                NodeBitmaps bitmaps = backend.root().bitmaps();
                DirtyBitmap b = bitmaps.create("b", 4096);
                write(backend, 0, 1);
                b.createSuccessor();
                write(backend, 8192, 1);
                b.reclaim();
                write(backend, 16384, 1);
                assertEquals(List.of("0+4096", "8192+4096", "16384+4096"), ranges(b));
                assertEquals(List.of(b), bitmaps.list());
                assertFalse(b.isBusy());

                b.disable();
                DirtyBitmap idle = b.createSuccessor();
                assertFalse(b.isRecording(), "the successor of a disabled one records nothing");
                write(backend, 32768, 1);
                b.enableSuccessor();
                assertTrue(b.isRecording());
                write(backend, 65536, 1);
                assertEquals(List.of("65536+4096"), ranges(idle));
                b.reclaim();
                assertTrue(b.isEnabled());
            }
        }
    }

    @Test
    void busyOnes() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, SIZE);
            try (BlockBackend backend = world.open("disk", "toy")) {
                NodeBitmaps bitmaps = backend.root().bitmaps();
                DirtyBitmap b = bitmaps.create("b", 4096);
                b.setBusy(true);
                requireInUse(bitmaps, b);
                fails(Kind.BUSY, IN_USE, () -> backend.resize(2 * SIZE, Preallocation.OFF));
                assertEquals(SIZE, backend.lengthBytes());
                write(backend, 0, 1);
                assertEquals(4096, b.dirtyBytes(), "it records all the same");
                b.clear(0, 4096);
                assertEquals(0, b.dirtyBytes(), "and its operation may clear what it has done");
                b.setBusy(false);
                bitmaps.remove(b);
            }
        }
    }

    @Test
    void readOnlyAndInconsistentOnes() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, SIZE);
            try (BlockBackend backend = world.open("disk", "toy")) {
                NodeBitmaps bitmaps = backend.root().bitmaps();
                DirtyBitmap b = bitmaps.addStored("b", 4096, SIZE, true, false);
                DirtyBitmap lost = bitmaps.addStored("lost", 4096, SIZE, true, true);
                bitmaps.loaded(true);
                assertTrue(b.isReadOnly() && b.isPersistent());
                String readOnly = "Bitmap 'b' is readonly and cannot be modified";
                fails(Kind.READ_ONLY, readOnly, b::clear);
                fails(Kind.READ_ONLY, readOnly, () -> b.merge(List.of()));
                fails(Kind.READ_ONLY, readOnly, () -> b.set(0, 1));
                fails(Kind.READ_ONLY, readOnly, () -> bitmaps.remove(b));
                b.disable();
                b.enable();
                bitmaps.loaded(false);
                write(backend, 0, 1);
                assertEquals(4096, b.dirtyBytes());

                assertTrue(lost.isInconsistent());
                assertFalse(lost.isRecording());
                assertEquals(0, lost.dirtyBytes());
                String inconsistent = "Bitmap 'lost' is inconsistent and cannot be used";
                fails(Kind.CORRUPT, inconsistent, lost::enable);
                fails(Kind.CORRUPT, inconsistent, lost::disable);
                fails(Kind.CORRUPT, inconsistent, lost::clear);
                fails(Kind.CORRUPT, inconsistent, lost::createSuccessor);
                fails(Kind.CORRUPT, inconsistent, () -> lost.merge(List.of(b)));
                fails(Kind.CORRUPT, inconsistent, () -> b.merge(List.of(lost)));
                bitmaps.remove(lost);
                assertEquals(List.of(b), bitmaps.list());
            }
        }
    }

    @Test
    void theSizeFollowsTheNode() throws Exception {
        try (World world = new World()) {
            world.memory.disk("plain", SIZE);
            try (BlockBackend backend = world.open("plain", "mem")) {
                DirtyBitmap b = backend.root().bitmaps().create("b", 4096);
                write(backend, SIZE - 1, 1);
                backend.resize(2 * SIZE - 512, Preallocation.OFF);
                assertEquals(2 * SIZE - 512, b.sizeBytes());
                assertEquals(List.of((SIZE - 4096) + "+4096"), ranges(b), "what is new is clean");
                write(backend, 2 * SIZE - 600, 88);
                assertEquals(List.of((SIZE - 4096) + "+4096", (2 * SIZE - 4096) + "+3584"), ranges(b));
                assertEquals(8192, b.dirtyBytes());
                backend.resize(SIZE - 1024, Preallocation.OFF);
                assertEquals(List.of((SIZE - 4096) + "+3072"), ranges(b));
                backend.resize(SIZE, Preallocation.OFF);
                assertEquals(List.of((SIZE - 4096) + "+4096"), ranges(b), "a bit is a bit");
                backend.resize(SIZE - 4096, Preallocation.OFF);
                backend.resize(SIZE, Preallocation.OFF);
                assertEquals(List.of(), ranges(b));
            }
        }
    }
}
