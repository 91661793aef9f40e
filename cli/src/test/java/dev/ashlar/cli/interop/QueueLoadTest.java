package dev.ashlar.cli.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.BlockQueue;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.testkit.host.ScratchDir;
import dev.ashlar.testkit.qemu.QemuTools;
import dev.ashlar.testkit.qemu.RequiresQemu;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** A load as {@code qemu-img bench} makes it: 4 KiB reads at depth 64 with direct I/O on a qcow2 image, every byte verified. */
@RequiresQemu
class QueueLoadTest {
    private static final int READS = Integer.getInteger("ashlar.load.reads", 100_000);
    private static final int DEPTH = 64;
    private static final int BLOCK_BYTES = 4096;
    private static final int DISK_BYTES = 64 << 20;
    private static final long SEED = Long.getLong("ashlar.interop.seed", 1_000_000);

    /** Each 8 bytes hold their own offset; the second half of the disk has every other cluster unallocated. */
    private static long expected(long offset) {
        return offset >= DISK_BYTES / 2 && offset / 65536 % 2 == 1 ? 0 : offset + 1;
    }

    @Test
    void readsAtDepth64(@ScratchDir Path directory) throws Exception {
        Path image = directory.resolve("disk.qcow2");
        AshlarDisk.create(image, DISK_BYTES, Map.of());
        fill(image);
        QemuTools.requireClean(image);
        try (BlockGraph graph = BlockGraph.create();
                BlockBackend disk = graph.open(
                        image.toString(), OpenOptions.readOnly().format("qcow2").direct(true));
                BlockQueue queue = disk.openQueue(DEPTH);
                Arena arena = Arena.ofConfined()) {
            MemorySegment buffers = arena.allocate((long) DEPTH * BLOCK_BYTES, 4096);
            long[] offsets = new long[DEPTH];
            ArrayDeque<Integer> free = new ArrayDeque<>();
            for (int i = 0; i < DEPTH; i++) {
                free.add(i);
            }
            Random random = new Random(SEED);
            int asked = 0;
            int[] done = new int[1];
            while (done[0] < READS) {
                while (asked < READS && !free.isEmpty()) {
                    int slot = free.remove();
                    offsets[slot] = (long) random.nextInt(DISK_BYTES / BLOCK_BYTES) * BLOCK_BYTES;
                    queue.read(offsets[slot], slice(buffers, slot), slot);
                    asked++;
                }
                queue.await(1, (token, result) -> {
                    int slot = (int) token;
                    assertEquals(BLOCK_BYTES, result, "read at " + offsets[slot]);
                    verify(slice(buffers, slot), offsets[slot]);
                    free.add(slot);
                    done[0]++;
                });
            }
            assertEquals(0, queue.inFlight());
        }
    }

    private static MemorySegment slice(MemorySegment buffers, int slot) {
        return buffers.asSlice((long) slot * BLOCK_BYTES, BLOCK_BYTES);
    }

    private static void verify(MemorySegment block, long offset) {
        for (int at = 0; at < BLOCK_BYTES; at += 8) {
            long found = block.get(ValueLayout.JAVA_LONG, at);
            if (found != expected(offset + at)) {
                throw new AssertionError("at " + (offset + at) + ": " + found + ", seed " + SEED);
            }
            // so that a completion without data can't pass next time
            block.set(ValueLayout.JAVA_LONG, at, -1);
        }
    }

    private static void fill(Path image) throws Exception {
        try (AshlarDisk disk = AshlarDisk.readWrite(image, true);
                Arena arena = Arena.ofConfined()) {
            MemorySegment cluster = arena.allocate(65536, 4096);
            for (long offset = 0; offset < DISK_BYTES; offset += cluster.byteSize()) {
                for (long at = 0; at < cluster.byteSize(); at += 8) {
                    cluster.set(ValueLayout.JAVA_LONG, at, expected(offset + at));
                }
                if (expected(offset) != 0) {
                    disk.backend().write(offset, cluster);
                }
            }
        }
    }
}
