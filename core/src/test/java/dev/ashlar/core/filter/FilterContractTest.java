package dev.ashlar.core.filter;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockQueue;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A filter changes how, never what: random requests through each filter, over a file and over an image, against plain bytes. */
class FilterContractTest {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "driver=throttle,throttle-group=g,limits.bps-total=1000000000000,file.",
                "driver=copy-on-read,file.",
                "driver=blkdebug,image.",
                "driver=blkdebug,align=4096,max-transfer=8192,opt-write-zero=8192,max-write-zero=16384,opt-discard=8192,"
                    + "max-discard=16384,image.",
                "driver=blkverify,raw.driver=mem,raw.filename=mirror,test.",
                "driver=preallocate,prealloc-size=64k,prealloc-align=4k,file.",
                "driver=raw,file.driver=throttle,file.throttle-group=g,file.limits.iops-total=100000000,file.file.driver="
                    + "copy-on-read,file.file.file."
            })
    void randomRequestsMatchTheModel(String above) throws Exception {
        long seed = System.nanoTime();
        // A disk ends where it likes, unless the filter says that all requests are blocks.
        int length = above.contains("align=4096,max") ? 49 * 4096 : 200_000;
        for (String below : new String[] {"driver=mem,§filename=disk", "driver=toy,§file.filename=image"}) {
            try (FilterWorld world = new FilterWorld()) {
                byte[] model = FilterWorld.pattern(length, 1);
                world.memory.disk("disk", length).write(0, MemorySegment.ofArray(model));
                world.memory.disk("mirror", length).write(0, MemorySegment.ofArray(model));
                world.overlay("image", 4096, model);
                String prefix = above.substring(above.lastIndexOf(',') + 1);
                String options = above + below.replace("§", prefix);
                Random random = new Random(seed);
                for (int opening = 0; opening < 3; opening++) {
                    try (BlockBackend backend = world.open(options)) {
                        assertEquals(length, backend.lengthBytes());
                        for (int i = 0; i < 150; i++) {
                            step(backend, model, random, above + " seed " + seed);
                        }
                        assertArrayEquals(model, FilterWorld.read(backend, 0, length), above + " seed " + seed);
                        throughQueue(backend, model);
                    }
                }
            }
        }
    }

    private static void step(BlockBackend backend, byte[] model, Random random, String text) throws Exception {
        int offset = random.nextInt(model.length);
        int length = 1 + random.nextInt(Math.min(model.length - offset, random.nextBoolean() ? 700 : 70_000));
        switch (random.nextInt(5)) {
            case 0, 1 -> {
                byte[] content = FilterWorld.pattern(length, random.nextInt());
                FilterWorld.write(backend, offset, content);
                System.arraycopy(content, 0, model, offset, length);
            }
            case 2 -> {
                backend.writeZeroes(offset, length, random.nextBoolean());
                Arrays.fill(model, offset, offset + length, (byte) 0);
            }
            case 3 -> backend.flush();
            default ->
                assertArrayEquals(
                        Arrays.copyOfRange(model, offset, offset + length),
                        FilterWorld.read(backend, offset, length),
                        text);
        }
    }

    private static void throughQueue(BlockBackend backend, byte[] model) throws Exception {
        try (BlockQueue queue = backend.openQueue(4);
                Arena arena = Arena.ofShared()) {
            MemorySegment buffer = arena.allocate(8192, 4096);
            assertEquals(true, queue.read(4096, buffer, 7));
            int[] result = {0};
            queue.await(1, (token, value) -> result[0] = value);
            assertEquals(8192, result[0]);
            assertEquals(-1, buffer.mismatch(MemorySegment.ofArray(Arrays.copyOfRange(model, 4096, 12288))));
        }
    }
}
