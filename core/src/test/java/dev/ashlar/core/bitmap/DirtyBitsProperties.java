package dev.ashlar.core.bitmap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** Bits against {@link BitSet}, over the borders of words and chunks. */
class DirtyBitsProperties {
    private static final int MAX = 3 * DirtyBits.CHUNK_BITS;

    @Property(tries = 60)
    void sameAsBitSet(@ForAll long seed) {
        Random random = new Random(seed);
        int length = 1 + random.nextInt(MAX);
        DirtyBits bits = new DirtyBits(length);
        BitSet model = new BitSet();
        for (int step = 0; step < 60; step++) {
            int from = near(random, length);
            int to = from
                    + Math.min(length - from, random.nextInt(4) == 0 ? random.nextInt(length) : random.nextInt(200));
            switch (random.nextInt(8)) {
                case 0, 1, 2 -> {
                    bits.set(from, to);
                    model.set(from, to);
                }
                case 3, 4 -> {
                    bits.clear(from, to);
                    model.clear(from, to);
                }
                case 5 -> {
                    length = 1 + random.nextInt(MAX);
                    bits.resize(length);
                    model.clear(length, MAX + 1);
                }
                case 6 -> {
                    DirtyBits other = new DirtyBits(length);
                    other.set(from, to);
                    bits.or(other);
                    model.set(from, to);
                }
                default -> copyThroughBytes(bits, length);
            }
            compare(bits, model, length, random);
        }
    }

    /** A place close to the border of a word or a chunk, or anywhere. */
    private static int near(Random random, int length) {
        int unit = random.nextBoolean() ? Long.SIZE : DirtyBits.CHUNK_BITS;
        int place = random.nextInt(4) == 0
                ? random.nextInt(length)
                : random.nextInt(length / unit + 1) * unit + random.nextInt(5) - 2;
        return Math.max(0, Math.min(length, place));
    }

    private static void compare(DirtyBits bits, BitSet model, int length, Random random) {
        assertEquals(length, bits.length());
        assertEquals(model.cardinality(), bits.count());
        for (int i = 0; i < 20; i++) {
            int from = near(random, length);
            int to = from + random.nextInt(length - from + 1);
            int set = model.nextSetBit(from);
            assertEquals(set >= 0 && set < to ? set : -1, bits.nextSet(from, to));
            int clear = model.nextClearBit(from);
            assertEquals(clear < to ? clear : -1, bits.nextClear(from, to));
            if (from < length) {
                assertEquals(model.get(from), bits.get(from));
            }
        }
    }

    private static void copyThroughBytes(DirtyBits bits, int length) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[(length + 63) / 64 * 8 + 16]);
        boolean any = bits.copyTo(0, bytes);
        assertEquals(bits.count() > 0, any);
        DirtyBits back = new DirtyBits(length);
        back.setFrom(0, bytes);
        assertEquals(bits.count(), back.count());
        long differing = -1;
        for (long bit = bits.nextSet(0, length); bit >= 0 && differing < 0; bit = bits.nextSet(bit + 1, length)) {
            differing = back.get(bit) ? -1 : bit;
            assertEquals(1, bytes.get(java.lang.foreign.ValueLayout.JAVA_BYTE, bit / 8) >> bit % 8 & 1);
        }
        assertEquals(-1, differing);
    }

    @Property(tries = 20)
    void bitsBehindTheEndAreLeftOut(@ForAll long seed) {
        int length = 1 + new Random(seed).nextInt(1000);
        byte[] ones = new byte[1024];
        java.util.Arrays.fill(ones, (byte) -1);
        DirtyBits bits = new DirtyBits(length);
        bits.setFrom(0, MemorySegment.ofArray(ones));
        assertEquals(length, bits.count());
        bits.resize(length + 1000);
        assertEquals(length, bits.count());
    }

    /** Threads that set and clear bits of the same words lose none of the others'. */
    @Property(tries = 5)
    void threadsDoNotLoseBits(@ForAll long seed) throws Exception {
        int threads = 4;
        DirtyBits bits = new DirtyBits(MAX);
        CountDownLatch start = new CountDownLatch(1);
        Thread[] all = new Thread[threads];
        BitSet[] models = new BitSet[threads];
        for (int t = 0; t < threads; t++) {
            int mine = t;
            models[t] = new BitSet();
            Random random = new Random(seed + t);
            all[t] = new Thread(() -> {
                try {
                    start.await();
                } catch (InterruptedException e) {
                    return;
                }
                for (int i = 0; i < 20_000; i++) {
                    // Each thread has its own bits of every word.
                    int bit = random.nextInt(MAX / threads) * threads + mine;
                    if (random.nextInt(3) > 0) {
                        bits.set(bit, bit + 1);
                        models[mine].set(bit);
                    } else {
                        bits.clear(bit, bit + 1);
                        models[mine].clear(bit);
                    }
                }
            });
            all[t].start();
        }
        start.countDown();
        BitSet model = new BitSet();
        for (int t = 0; t < threads; t++) {
            all[t].join();
            model.or(models[t]);
        }
        for (int bit = 0; bit < MAX; bit++) {
            assertEquals(model.get(bit), bits.get(bit), "bit " + bit + ", seed " + seed);
        }
        bits.clear(0, MAX);
        assertFalse(bits.nextSet(0, MAX) >= 0);
    }
}
