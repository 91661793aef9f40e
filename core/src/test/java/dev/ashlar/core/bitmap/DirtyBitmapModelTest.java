package dev.ashlar.core.bitmap;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockLimits;
import dev.ashlar.core.BlockQueue;
import dev.ashlar.core.DrainedSection;
import dev.ashlar.core.toy.World;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.jspecify.annotations.Nullable;

/** Bitmaps of a node at work against plain {@link BitSet}s of sectors, with one thread and with several. */
class DirtyBitmapModelTest {
    private static final int SECTOR = 512;
    private static final int SIZE = 1 << 18;
    private static final int SECTORS = SIZE / SECTOR;

    /** One bitmap and what it must hold: a bit per unit of its granularity. */
    private static final class Pair {
        DirtyBitmap bitmap;
        BitSet bits = new BitSet();
        boolean enabled = true;
        /** What the successor holds, while there is one. */
        @Nullable
        BitSet successor;

        Pair(DirtyBitmap bitmap) {
            this.bitmap = bitmap;
        }

        void written(int from, int to) {
            BitSet target = successor != null ? successor : bits;
            if (enabled) {
                int unit = (int) bitmap.granularityBytes();
                target.set(from / unit, (to - 1) / unit + 1);
            }
        }

        void compare(long seed) {
            BitSet found = new BitSet();
            int unit = (int) bitmap.granularityBytes();
            for (int at = 0; at < SIZE; at += unit) {
                found.set(at / unit, bitmap.isDirty(at));
            }
            assertEquals(bits, found, "seed " + seed);
            assertEquals((long) bits.cardinality() * unit, bitmap.dirtyBytes());
            assertEquals(successor != null, bitmap.hasSuccessor());
        }
    }

    /** Every operation, one after another. */
    @Property(tries = 60)
    void oneThread(@ForAll long seed) throws Exception {
        Random random = new Random(seed);
        try (World world = new World()) {
            world.toyImage("disk", 4096, SIZE);
            try (BlockBackend backend = world.open("disk", "toy")) {
                NodeBitmaps bitmaps = backend.root().bitmaps();
                List<Pair> pairs = new ArrayList<>();
                for (int step = 0; step < 80; step++) {
                    if (pairs.isEmpty() || (pairs.size() < 4 && random.nextInt(10) == 0)) {
                        pairs.add(new Pair(bitmaps.create("b" + step, SECTOR << random.nextInt(9))));
                    }
                    if (random.nextBoolean()) {
                        write(backend, random, pairs);
                    } else {
                        control(bitmaps, pairs, pairs.get(random.nextInt(pairs.size())), random);
                    }
                    for (Pair pair : pairs) {
                        pair.compare(seed);
                    }
                }
            }
        }
    }

    private static void write(BlockBackend backend, Random random, List<Pair> pairs) throws BlockException {
        int from = random.nextInt(SIZE);
        int length = 1 + random.nextInt(Math.min(20_000, SIZE - from));
        switch (random.nextInt(3)) {
            case 0 -> backend.write(from, MemorySegment.ofArray(new byte[length]));
            case 1 -> backend.writeZeroes(from, length, random.nextBoolean());
            default -> backend.discard(from, length);
        }
        for (Pair pair : pairs) {
            pair.written(from, from + length);
        }
    }

    private static void control(NodeBitmaps bitmaps, List<Pair> pairs, Pair pair, Random random) throws BlockException {
        DirtyBitmap bitmap = pair.bitmap;
        BitSet successor = pair.successor;
        if (successor != null) {
            if (random.nextBoolean()) {
                pair.bitmap = bitmap.abdicate();
                pair.bits = successor;
            } else {
                bitmap.reclaim();
                pair.bits.or(successor);
            }
            pair.successor = null;
            return;
        }
        switch (random.nextInt(6)) {
            case 0 -> {
                pair.enabled = !pair.enabled;
                if (pair.enabled) {
                    bitmap.enable();
                } else {
                    bitmap.disable();
                }
            }
            case 1 -> {
                bitmap.clear();
                pair.bits.clear();
            }
            case 2 -> {
                bitmap.createSuccessor();
                pair.successor = new BitSet();
            }
            case 3 -> merge(pair, pairs.get(random.nextInt(pairs.size())));
            case 4 -> {
                bitmaps.remove(bitmap);
                pairs.remove(pair);
            }
            default -> {
                int unit = (int) bitmap.granularityBytes();
                int from = random.nextInt(SIZE);
                int to = from + random.nextInt(SIZE - from + 1);
                bitmap.clear(from, to - from);
                int last = to == SIZE ? (SIZE - 1) / unit + 1 : to / unit;
                int first = (from + unit - 1) / unit;
                pair.bits.clear(first, Math.max(first, last));
            }
        }
    }

    private static void merge(Pair into, Pair from) throws BlockException {
        if (from.successor != null) {
            return;
        }
        into.bitmap.merge(List.of(from.bitmap));
        int fromUnit = (int) from.bitmap.granularityBytes();
        int unit = (int) into.bitmap.granularityBytes();
        BitSet added = new BitSet();
        for (int bit = from.bits.nextSetBit(0); bit >= 0; bit = from.bits.nextSetBit(bit + 1)) {
            int start = bit * fromUnit;
            int end = Math.min(SIZE, start + fromUnit);
            added.set(start / unit, (end - 1) / unit + 1);
        }
        into.bits.or(added);
    }

    /**
     * Threads write by all ways while another one gives a bitmap successors, takes them back, lets them take over and merges what was
     * recorded: in the end the bits are those of all writes, no more and no fewer.
     */
    @Property(tries = 12)
    void nothingIsLostWhileBitmapsChangeHands(@ForAll long seed) throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, SIZE);
            world.disk("disk").limits = new BlockLimits(512, 512, 1 << 20, 4096, 4096);
            try (BlockBackend backend = world.open("disk", "toy")) {
                backend.write(0, MemorySegment.ofArray(new byte[SIZE / 2]));
                NodeBitmaps bitmaps = backend.root().bitmaps();
                DirtyBitmap always = bitmaps.create("always", SECTOR);
                bitmaps.create("moving", SECTOR);
                DirtyBitmap collected = bitmaps.create("collected", SECTOR);
                collected.disable();
                BitSet model = new BitSet();
                AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
                AtomicBoolean stop = new AtomicBoolean();
                List<Thread> writers = new ArrayList<>();
                for (int t = 0; t < 3; t++) {
                    Random random = new Random(seed + t);
                    boolean byQueue = t == 0;
                    writers.add(start(failure, () -> {
                        BitSet mine = byQueue ? queueWrites(backend, random) : blockingWrites(backend, random);
                        synchronized (model) {
                            model.or(mine);
                        }
                    }));
                }
                Thread control = start(failure, () -> {
                    Random random = new Random(~seed);
                    while (!stop.get()) {
                        DirtyBitmap moving = bitmaps.require("moving");
                        moving.createSuccessor();
                        Thread.yield();
                        if (random.nextBoolean()) {
                            moving.reclaim();
                        } else {
                            // As a backup that has copied all of it. What comes late to it is in the successor as well.
                            moving.forEachDirtyRange(collected::set);
                            assertEquals("moving", moving.abdicate().name());
                        }
                    }
                });
                for (Thread writer : writers) {
                    writer.join();
                }
                stop.set(true);
                control.join();
                assertNull(failure.get(), () -> "seed " + seed + ": " + failure.get());
                collected.merge(List.of(bitmaps.require("moving")));
                compare(model, always, seed);
                compare(model, collected, seed);
            }
        }
    }

    private static void compare(BitSet model, DirtyBitmap bitmap, long seed) {
        for (int sector = 0; sector < SECTORS; sector++) {
            assertEquals(
                    model.get(sector),
                    bitmap.isDirty((long) sector * SECTOR),
                    bitmap + ", sector " + sector + ", seed " + seed);
        }
    }

    private static BitSet blockingWrites(BlockBackend backend, Random random) throws BlockException {
        BitSet mine = new BitSet();
        for (int i = 0; i < 400; i++) {
            int from = random.nextInt(SIZE);
            int length = 1 + random.nextInt(Math.min(3000, SIZE - from));
            switch (random.nextInt(6)) {
                case 0 -> backend.writeZeroes(from, length, true);
                case 1 -> backend.discard(from, length);
                default -> backend.write(from, MemorySegment.ofArray(new byte[length]));
            }
            mine.set(from / SECTOR, (from + length - 1) / SECTOR + 1);
        }
        return mine;
    }

    private static BitSet queueWrites(BlockBackend backend, Random random) throws BlockException {
        BitSet mine = new BitSet();
        try (Arena arena = Arena.ofConfined();
                BlockQueue queue = backend.openQueue(8)) {
            MemorySegment page = arena.allocate(4096, 4096);
            for (int i = 0; i < 400; i++) {
                int from = random.nextInt(SECTORS - 8) * SECTOR;
                int sectors = 1 + random.nextInt(8);
                if (queue.write(from, page.asSlice(0, (long) sectors * SECTOR), i)) {
                    mine.set(from / SECTOR, from / SECTOR + sectors);
                }
                if (queue.inFlight() == 8 || random.nextInt(3) == 0) {
                    queue.submit();
                    queue.await(queue.inFlight(), (token, result) -> assertTrue(result > 0));
                }
            }
            queue.submit();
            queue.await(queue.inFlight(), (token, result) -> assertTrue(result > 0));
        }
        return mine;
    }

    /** Copies while others write: clear, then read. At the end the copy is the disk. */
    @Property(tries = 12)
    void aBackupByBitmapMissesNoWrite(@ForAll long seed) throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, SIZE);
            try (BlockBackend backend = world.open("disk", "toy")) {
                DirtyBitmap bitmap = backend.root().bitmaps().create("b", 1024);
                byte[] copy = new byte[SIZE];
                AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
                List<Thread> writers = new ArrayList<>();
                for (int t = 0; t < 3; t++) {
                    Random random = new Random(seed + t);
                    writers.add(start(failure, () -> {
                        byte[] bytes = new byte[2000];
                        for (int i = 0; i < 400; i++) {
                            random.nextBytes(bytes);
                            int length = 1 + random.nextInt(bytes.length);
                            // A few places, so that copying and writing meet.
                            backend.write(
                                    random.nextInt(20_000),
                                    MemorySegment.ofArray(bytes).asSlice(0, length));
                        }
                    }));
                }
                while (isAnyAlive(writers)) {
                    copyDirty(backend, bitmap, copy);
                }
                copyDirty(backend, bitmap, copy);
                assertNull(failure.get());
                try (DrainedSection still = backend.drain()) {
                    assertTrue(still != null);
                    assertEquals(0, bitmap.dirtyBytes());
                }
                byte[] disk = new byte[SIZE];
                backend.read(0, MemorySegment.ofArray(disk));
                assertArrayEquals(disk, copy, "seed " + seed);
            }
        }
    }

    private static void copyDirty(BlockBackend backend, DirtyBitmap bitmap, byte[] copy) throws BlockException {
        bitmap.forEachDirtyRange((offset, length) -> {
            bitmap.clear(offset, length);
            MemorySegment bytes = MemorySegment.ofArray(new byte[(int) length]);
            backend.read(offset, bytes);
            MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, 0, copy, (int) offset, (int) length);
        });
    }

    private static boolean isAnyAlive(List<Thread> threads) {
        boolean alive = false;
        for (Thread thread : threads) {
            alive |= thread.isAlive();
        }
        return alive;
    }

    private interface Work {
        void run() throws BlockException;
    }

    private static Thread start(AtomicReference<@Nullable Throwable> failure, Work work) {
        return Thread.ofPlatform().start(() -> {
            try {
                work.run();
            } catch (BlockException | RuntimeException | AssertionError e) {
                failure.compareAndSet(null, e);
            }
        });
    }
}
