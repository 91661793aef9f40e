package dev.ashlar.core.filter;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.toy.ToyImage;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class CopyOnReadTest {
    private static final String ABOVE = "driver=copy-on-read,file.driver=toy,file.file.filename=";
    private static final int CLUSTER = 4096;

    @Test
    void whatIsReadIsCopiedAndNothingElse() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            byte[] below = FilterWorld.pattern(10 * CLUSTER + 100, 1);
            ToyImage image = world.overlay("image", CLUSTER, below);
            BlockBackend disk = world.open(ABOVE + "image");
            assertArrayEquals(
                    Arrays.copyOfRange(below, CLUSTER + 10, 3 * CLUSTER),
                    FilterWorld.read(disk, CLUSTER + 10, 2 * CLUSTER - 10));
            assertEquals(2, image.allocations.get());
            assertFalse(disk.allocatedHere(0, CLUSTER).allocated());
            assertTrue(disk.allocatedHere(CLUSTER, 2 * CLUSTER).allocated());
            // The odd end of the disk, and everything once more: each cluster is copied once.
            assertArrayEquals(below, FilterWorld.read(disk, 0, below.length));
            assertArrayEquals(below, FilterWorld.read(disk, 0, below.length));
            assertEquals(11, image.allocations.get());
            disk.close();
            image.backing = null;
            BlockBackend alone = world.openFile("image", "toy");
            assertArrayEquals(below, FilterWorld.read(alone, 0, below.length));
        }
    }

    @Test
    void readOnlyIsRefused() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            byte[] below = FilterWorld.pattern(4 * CLUSTER, 1);
            ToyImage image = world.overlay("image", CLUSTER, below);
            OpenOptions options = OpenOptions.readOnly()
                    .driverOptions(
                            Map.of("driver", "copy-on-read", "file.driver", "toy", "file.file.filename", "image"));
            BlockException refused = assertThrows(BlockException.class, () -> world.graph.open(options));
            assertEquals("Block node is read-only", refused.getMessage());
            assertEquals(0, image.allocations.get());
        }
    }

    @Test
    void aCopyThatFailsFailsTheReadAndNoMore() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            byte[] below = FilterWorld.pattern(4 * CLUSTER, 1);
            world.overlay("image", CLUSTER, below);
            BlockBackend disk = world.open(ABOVE + "image");
            world.memory.disks.get("image").hook = (operation, offset, length) -> {
                if (operation.equals("write")) {
                    throw new BlockException(BlockException.Kind.NO_SPACE, "full");
                }
            };
            assertThrows(BlockException.class, () -> FilterWorld.read(disk, 0, CLUSTER));
            world.memory.disks.get("image").hook = (operation, offset, length) -> {};
            assertArrayEquals(below, FilterWorld.read(disk, 0, below.length));
        }
    }

    /** F2: copies never overwrite what writers, through the filter and past it, wrote meanwhile. */
    @Test
    void newerDataWins() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            int clusters = 64;
            byte[] below = FilterWorld.pattern(clusters * CLUSTER, 1);
            for (int round = 0; round < 20; round++) {
                String name = "image" + round;
                world.overlay(name, CLUSTER, below);
                BlockBackend disk = world.open(ABOVE + name);
                byte[] model = below.clone();
                AtomicReference<Throwable> failure = new AtomicReference<>();
                Thread reader = start(failure, () -> {
                    for (int i = 0; i < clusters; i++) {
                        FilterWorld.read(disk, (long) i * CLUSTER, CLUSTER);
                    }
                });
                Thread other = start(failure, () -> FilterWorld.read(disk, 100, (clusters - 1) * CLUSTER));
                byte[] piece = FilterWorld.pattern(700, round);
                for (int i = 0; i < clusters; i++) {
                    int at = i * CLUSTER + (i * 37) % (CLUSTER - 700);
                    disk.write(at, MemorySegment.ofArray(piece));
                    System.arraycopy(piece, 0, model, at, piece.length);
                }
                reader.join();
                other.join();
                assertNull(failure.get());
                assertArrayEquals(model, FilterWorld.read(disk, 0, model.length));
                disk.close();
            }
        }
    }

    @FunctionalInterface
    private interface Work {
        void run() throws BlockException;
    }

    private static Thread start(AtomicReference<Throwable> failure, Work work) {
        return Thread.ofPlatform().start(() -> {
            try {
                work.run();
            } catch (BlockException | RuntimeException | Error e) {
                failure.set(e);
            }
        });
    }
}
