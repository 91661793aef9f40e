package dev.ashlar.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.ImageReference;
import dev.ashlar.core.spi.Preallocation;
import dev.ashlar.core.toy.ToyImage;
import dev.ashlar.core.toy.World;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicReference;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class RequestPathTest {
    private static final int[] ALIGNMENTS = {1, 512, 4096};

    /** An image of a random shape against an array of bytes. */
    @Property(tries = 60)
    void anyRequestActsLikeOnAByteArray(@ForAll long seed) throws Exception {
        Random random = new Random(seed);
        int size = 100_000 + random.nextInt(200_000);
        try (World world = new World();
                Arena arena = Arena.ofConfined()) {
            byte[] model = new byte[size];
            String format = build(world, random, model);
            try (BlockBackend backend = world.open("disk", format)) {
                assertEquals(size, backend.lengthBytes());
                for (int i = 0; i < 60; i++) {
                    step(backend, model, random, arena);
                }
                assertArrayEquals(model, readFirst(backend, size));
                if (format != null && format.equals("toy")) {
                    SizeChange.check(backend, model, random);
                }
            }
            try (BlockBackend again =
                    world.graph.open("disk", OpenOptions.readOnly().format(format))) {
                assertArrayEquals(model, Arrays.copyOf(readAll(again), size));
            }
            assertEquals(0, world.disk("disk").openInstances);
        }
    }

    /** The shapes that {@link #anyRequestActsLikeOnAByteArray} tries. */
    private static String build(World world, Random random, byte[] model) {
        BlockLimits limits = new BlockLimits(
                ALIGNMENTS[random.nextInt(3)],
                ALIGNMENTS[random.nextInt(3)],
                random.nextBoolean() ? 1 << 30 : 1 << 13,
                4096,
                4096);
        String format;
        switch (random.nextInt(4)) {
            case 0 -> {
                world.memory.disk("disk", model.length);
                format = random.nextBoolean() ? "mem" : "pass";
            }
            case 1 -> {
                world.memory.disk("disk", model.length);
                format = "raw";
            }
            default -> {
                ToyImage image = world.toyImage("disk", 1 << (12 + random.nextInt(5)), model.length);
                image.canWriteZeroes = random.nextBoolean();
                if (random.nextBoolean()) {
                    int below = 50_000 + random.nextInt(model.length);
                    world.memory.disk("base", below);
                    byte[] base = new byte[below];
                    random.nextBytes(base);
                    world.disk("base").write(0, MemorySegment.ofArray(base));
                    System.arraycopy(base, 0, model, 0, Math.min(below, model.length));
                    image.backing = new ImageReference("base", "raw");
                }
                format = "toy";
            }
        }
        world.disk("disk").limits = limits;
        return format;
    }

    private static void step(BlockBackend backend, byte[] model, Random random, Arena arena) throws Exception {
        int length = random.nextInt(4) == 0 ? random.nextInt(model.length) : random.nextInt(6000);
        int offset = random.nextInt(model.length - length + 1);
        if (random.nextInt(3) == 0) {
            length &= -512;
            offset &= -512;
        }
        switch (random.nextInt(6)) {
            case 0, 1 -> {
                byte[] bytes = new byte[length];
                random.nextBytes(bytes);
                backend.write(offset, buffer(bytes, random, arena));
                System.arraycopy(bytes, 0, model, offset, length);
            }
            case 2 -> {
                backend.writeZeroes(offset, length, random.nextBoolean());
                Arrays.fill(model, offset, offset + length, (byte) 0);
            }
            case 3 -> backend.flush();
            default -> {
                MemorySegment into = buffer(new byte[length], random, arena);
                backend.read(offset, into);
                assertArrayEquals(
                        Arrays.copyOfRange(model, offset, offset + length), into.toArray(ValueLayout.JAVA_BYTE));
            }
        }
        if (length > 0) {
            BlockStatus status = backend.status(offset, length);
            assertTrue(status.lengthBytes() > 0 && status.lengthBytes() <= length);
            if (status.zero()) {
                for (int i = 0; i < status.lengthBytes(); i++) {
                    assertEquals(0, model[offset + i]);
                }
            }
        }
    }

    private static MemorySegment buffer(byte[] bytes, Random random, Arena arena) {
        return switch (random.nextInt(3)) {
            case 0 -> MemorySegment.ofArray(bytes);
            case 1 -> arena.allocate(bytes.length, 4096).copyFrom(MemorySegment.ofArray(bytes));
            default ->
                arena.allocate(bytes.length + 1L, 4096).asSlice(1, bytes.length).copyFrom(MemorySegment.ofArray(bytes));
        };
    }

    static byte[] readAll(BlockBackend backend) throws BlockException {
        byte[] bytes = new byte[(int) backend.lengthBytes()];
        backend.read(0, MemorySegment.ofArray(bytes));
        return bytes;
    }

    /** The disk as it was made; a padded write at the end of a file may have made the file a whole number of blocks. */
    private static byte[] readFirst(BlockBackend backend, int size) throws BlockException {
        byte[] all = readAll(backend);
        for (int i = size; i < all.length; i++) {
            assertEquals(0, all[i]);
        }
        assertTrue(all.length - size < 4096);
        return Arrays.copyOf(all, size);
    }

    /** Growing shows zeros, also over a longer backing file; shrinking cuts. */
    private static final class SizeChange {
        static void check(BlockBackend backend, byte[] model, Random random) throws BlockException {
            int more = model.length + random.nextInt(100_000);
            backend.resize(more, Preallocation.OFF);
            assertArrayEquals(Arrays.copyOf(model, more), readAll(backend));
        }
    }

    /** Threads whose stripes meet inside blocks and clusters: no byte of a neighbour is lost. */
    @Property(tries = 12)
    void neighboursDoNotDisturbEachOther(@ForAll long seed) throws Exception {
        Random shape = new Random(seed);
        int stripe = 3001 + shape.nextInt(3000);
        int count = 6;
        try (World world = new World()) {
            byte[] model = new byte[stripe * count];
            String format = build(world, shape, model);
            try (BlockBackend backend = world.open("disk", format)) {
                AtomicReference<Throwable> failure = new AtomicReference<>();
                List<Thread> threads = new ArrayList<>();
                for (int t = 0; t < count; t++) {
                    int from = t * stripe;
                    Random random = new Random(seed + t);
                    threads.add(Thread.ofPlatform().start(() -> {
                        try {
                            for (int i = 0; i < 60; i++) {
                                inStripe(backend, model, from, stripe, random);
                            }
                        } catch (Throwable e) {
                            failure.compareAndSet(null, e);
                        }
                    }));
                }
                for (Thread thread : threads) {
                    thread.join();
                }
                if (failure.get() != null) {
                    throw new AssertionError(failure.get());
                }
                assertArrayEquals(model, readFirst(backend, model.length));
                assertEquals(0, backend.layer().tracker().inFlight());
            }
        }
    }

    private static void inStripe(BlockBackend backend, byte[] model, int from, int stripe, Random random)
            throws BlockException {
        int length = 1 + random.nextInt(stripe);
        int offset = from + random.nextInt(stripe - length + 1);
        byte[] bytes = new byte[length];
        switch (random.nextInt(4)) {
            case 0 -> {
                backend.writeZeroes(offset, length, true);
                System.arraycopy(bytes, 0, model, offset, length);
            }
            case 1 -> {
                backend.read(offset, MemorySegment.ofArray(bytes));
                assertArrayEquals(Arrays.copyOfRange(model, offset, offset + length), bytes);
            }
            default -> {
                random.nextBytes(bytes);
                backend.write(offset, MemorySegment.ofArray(bytes));
                System.arraycopy(bytes, 0, model, offset, length);
            }
        }
    }

    /** F2: writers that meet in a new cluster allocate it once. */
    @Test
    void oneClusterIsAllocatedOnce() throws Exception {
        for (int round = 0; round < 50; round++) {
            try (World world = new World()) {
                ToyImage image = world.toyImage("disk", 65536, 65536);
                try (BlockBackend backend = world.open("disk", "toy")) {
                    int writers = 8;
                    CyclicBarrier barrier = new CyclicBarrier(writers);
                    List<Thread> threads = new ArrayList<>();
                    for (int t = 0; t < writers; t++) {
                        int at = t * 8192;
                        byte fill = (byte) (t + 1);
                        threads.add(Thread.ofPlatform().start(() -> {
                            try {
                                barrier.await();
                                byte[] bytes = new byte[8192];
                                Arrays.fill(bytes, fill);
                                backend.write(at, MemorySegment.ofArray(bytes));
                            } catch (Exception e) {
                                throw new AssertionError(e);
                            }
                        }));
                    }
                    for (Thread thread : threads) {
                        thread.join();
                    }
                    assertEquals(1, image.allocations.get());
                    byte[] all = readAll(backend);
                    for (int i = 0; i < all.length; i++) {
                        assertEquals(i / 8192 + 1, all[i]);
                    }
                }
            }
        }
    }

    @Test
    void copiedEdgesAndGuestBytesGoOutAsOneWrite() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 65536, 1 << 20);
            try (BlockBackend backend = world.open("disk", "toy")) {
                backend.write(70_000, MemorySegment.ofArray(new byte[100]));
                assertEquals(1, world.disk("disk").writes.get());
            }
        }
    }

    @Test
    void aFailedDataWriteAbortsThePlanAndLeavesNothingTracked() throws Exception {
        try (World world = new World()) {
            ToyImage image = world.toyImage("disk", 4096, 1 << 20);
            try (BlockBackend backend = world.open("disk", "toy")) {
                world.disk("disk").hook = (operation, offset, length) -> {
                    if (operation.equals("write")) {
                        throw new BlockException(Kind.NO_SPACE, "full");
                    }
                };
                byte[] bytes = new byte[10_000];
                BlockException e =
                        assertThrows(BlockException.class, () -> backend.write(1000, MemorySegment.ofArray(bytes)));
                assertEquals(Kind.NO_SPACE, e.kind());
                world.disk("disk").hook = (operation, offset, length) -> {
                    if (operation.equals("write")) {
                        throw new IllegalStateException("a driver's mistake");
                    }
                };
                assertThrows(IllegalStateException.class, () -> backend.write(1000, MemorySegment.ofArray(bytes)));
                assertEquals(2, image.aborts.get());
                for (BlockNode node : world.graph.nodes()) {
                    assertEquals(0, node.layer().tracker().inFlight(), node.name());
                }
                world.disk("disk").hook = (operation, offset, length) -> {};
                backend.write(1000, MemorySegment.ofArray(bytes));
                backend.flush();
            }
        }
    }

    @Test
    void boundsAndReadOnly() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, 10_000);
            MemorySegment ten = MemorySegment.ofArray(new byte[10]);
            try (BlockBackend backend = world.open("disk", "toy")) {
                backend.write(9_990, ten);
                for (long offset : new long[] {9_991, 10_000, Long.MAX_VALUE - 5}) {
                    BlockException e = assertThrows(BlockException.class, () -> backend.write(offset, ten));
                    assertEquals(Kind.OUT_OF_BOUNDS, e.kind());
                    assertThrows(BlockException.class, () -> backend.read(offset, ten));
                }
                assertThrows(IllegalArgumentException.class, () -> backend.read(-1, ten));
                assertThrows(IllegalArgumentException.class, () -> backend.read(0, ten.asReadOnly()));
            }
            BlockBackend reading =
                    world.graph.open("disk", OpenOptions.readOnly().format("toy"));
            BlockException e = assertThrows(BlockException.class, () -> reading.write(0, ten));
            assertEquals(Kind.READ_ONLY, e.kind());
            assertEquals("Block node is read-only", e.getMessage());
            reading.close();
            assertEquals(
                    Kind.CLOSED,
                    assertThrows(BlockException.class, () -> reading.read(0, ten))
                            .kind());
        }
    }

    /** F1, R9: after a failed flush nothing is written and no flush succeeds. */
    @Test
    void aFailedFlushIsNeverFollowedByAGoodOne() throws Exception {
        try (World world = new World()) {
            world.toyImage("disk", 4096, 1 << 20);
            BlockBackend backend = world.open("disk", "toy");
            world.disk("disk").hook = (operation, offset, length) -> {
                if (operation.equals("flush")) {
                    throw new BlockException(Kind.IO, "fdatasync failed");
                }
            };
            assertThrows(BlockException.class, backend::flush);
            world.disk("disk").hook = (operation, offset, length) -> {};
            BlockException e = assertThrows(BlockException.class, backend::flush);
            assertEquals(Kind.IO, e.kind());
            MemorySegment ten = MemorySegment.ofArray(new byte[10]);
            assertThrows(BlockException.class, () -> backend.write(0, ten));
            backend.read(0, ten);
            backend.close();
            try (BlockBackend again = world.open("disk", "toy")) {
                again.write(0, ten);
                again.flush();
            }
        }
    }

    @Test
    void flushesThatMeetShareOne() throws Exception {
        try (World world = new World()) {
            world.memory.disk("disk", 4096);
            try (BlockBackend backend = world.open("disk", "mem")) {
                world.disk("disk").hook = (operation, offset, length) -> {
                    if (operation.equals("flush")) {
                        sleep(100);
                    }
                };
                List<Thread> threads = new ArrayList<>();
                for (int i = 0; i < 20; i++) {
                    threads.add(Thread.ofVirtual().start(() -> {
                        try {
                            backend.flush();
                        } catch (BlockException e) {
                            throw new AssertionError(e);
                        }
                    }));
                }
                for (Thread thread : threads) {
                    thread.join();
                }
                int flushes = world.disk("disk").flushes.get();
                assertTrue(flushes >= 1 && flushes <= 4, flushes + " flushes");
            }
        }
    }

    /** A raw disk that was taken for raw by guessing does not become an image of another kind. */
    @Test
    void aGuessedRawDiskCantBeMadeToLookLikeAnImage() throws Exception {
        try (World world = new World()) {
            world.memory.disk("disk", 8192);
            byte[] magic = {'T', 'O', 'Y', '!', 0, 0};
            try (BlockBackend guessed = world.open("disk", null)) {
                assertTrue(guessed.isFormatGuessed());
                BlockException e =
                        assertThrows(BlockException.class, () -> guessed.write(0, MemorySegment.ofArray(magic)));
                assertEquals(Kind.PERMISSION, e.kind());
                guessed.write(0, MemorySegment.ofArray(magic).asSlice(0, 2));
                assertThrows(
                        BlockException.class,
                        () -> guessed.write(2, MemorySegment.ofArray(magic).asSlice(2)));
                guessed.write(4096, MemorySegment.ofArray(magic));
            }
            try (BlockBackend named = world.open("disk", "raw")) {
                named.write(0, MemorySegment.ofArray(magic));
            }
            assertEquals("toy", world.graph.probe("disk"));
        }
    }

    private static void sleep(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
