package dev.ashlar.drivers.qcow2.alloc;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.ashlar.drivers.qcow2.format.RefcountWidth;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** Arithmetic on runs of refcounts against one count at a time, for all widths. */
class RefcountRangeProperties {
    private static final int BLOCK_BYTES = 4096;
    /** Counts at which a byte or a half of one is full, so that a carry would show. */
    private static final long[] NEAR_A_CARRY = {1, 2, 126, 127, 128, 254, 255, 256, 0x7fff, 0x8000, 0xfffe};

    @Property(tries = 2000)
    void addingToARunEqualsAddingOneByOne(
            @ForAll @IntRange(min = 0, max = 6) int order,
            @ForAll long seed,
            @ForAll @IntRange(min = 0, max = 63) int from,
            @ForAll @IntRange(min = 0, max = 2048) int count,
            @ForAll boolean up,
            @ForAll @IntRange(min = 10, max = 10_000) int limitEvery,
            @ForAll @IntRange(min = 1, max = 1000) int carryEvery) {
        int entries = BLOCK_BYTES * 8 >> order;
        int first = Math.min(from, entries - 1);
        int length = Math.min(count, entries - first);
        long maximum = order == 6 ? Long.MAX_VALUE : (1L << (1 << order)) - 1;
        MemorySegment block = MemorySegment.ofArray(new byte[BLOCK_BYTES]);
        long[] model = new long[entries];
        Random random = new Random(seed);
        for (int i = 0; i < entries; i++) {
            model[i] = switch (random.nextInt(limitEvery)) {
                case 0 -> 0;
                case 1 -> maximum;
                default ->
                    Math.min(
                            maximum,
                            random.nextInt(carryEvery) == 0 ? NEAR_A_CARRY[random.nextInt(NEAR_A_CARRY.length)] : 1);
            };
            RefcountWidth.set(block, order, i, model[i]);
        }
        int delta = up ? 1 : -1;
        int expectedFailure = -1;
        for (int i = first; i < first + length && expectedFailure < 0; i++) {
            if (up ? model[i] == maximum : model[i] == 0) {
                expectedFailure = i;
            }
        }
        if (expectedFailure < 0) {
            for (int i = first; i < first + length; i++) {
                model[i] += delta;
            }
        }
        assertEquals(expectedFailure, RefcountRange.add(block, order, first, length, delta, maximum));
        long[] actual = new long[entries];
        for (int i = 0; i < entries; i++) {
            actual[i] = RefcountWidth.get(block, 0, order, i);
        }
        assertArrayEquals(model, actual, "all or nothing, and no neighbour touched");
    }

    @Property(tries = 1000)
    void findZeroFindsTheFirst(
            @ForAll @IntRange(min = 0, max = 6) int order, @ForAll long seed, @ForAll @IntRange(max = 63) int from) {
        int entries = BLOCK_BYTES * 8 >> order;
        int first = Math.min(from, entries - 1);
        MemorySegment block = MemorySegment.ofArray(new byte[BLOCK_BYTES]);
        Random random = new Random(seed);
        int zeroEvery = 1 + random.nextInt(3000);
        int expected = -1;
        for (int i = 0; i < entries; i++) {
            boolean zero = random.nextInt(zeroEvery) == 0;
            RefcountWidth.set(block, order, i, zero ? 0 : 1);
            if (zero && expected < 0 && i >= first) {
                expected = i;
            }
        }
        assertEquals(expected, RefcountRange.findZero(block, order, first, entries));
    }
}
