package dev.ashlar.drivers.qcow2.alloc;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.BitSet;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** Regions that are collected, and such as come later, one by one, against a set of clusters. */
class MetadataRegionsProperties {
    private static final int CLUSTERS = 4000;

    @Property(tries = 100)
    void answersAsASetOfClusters(
            @ForAll long seed, @ForAll @IntRange(max = 300) int collected, @ForAll @IntRange(max = 1500) int later) {
        Random random = new Random(seed);
        BitSet model = new BitSet();
        MetadataRegions.Builder builder = new MetadataRegions.Builder(9, MetadataClass.ACTIVE_L2.bit());
        for (int i = 0; i < collected; i++) {
            int first = random.nextInt(CLUSTERS);
            int count = 1 + random.nextInt(3);
            builder.add(MetadataClass.ACTIVE_L2, first * 512L, count * 512L);
            model.set(first, first + count);
        }
        MetadataRegions[] built = builder.build();
        MetadataRegions regions = built[MetadataClass.ACTIVE_L2.ordinal()];
        requireEqual(model, regions, random);
        for (int i = 0; i < later; i++) {
            int first = random.nextInt(CLUSTERS);
            int count = 1 + random.nextInt(2);
            MetadataRegions before = regions;
            BitSet modelBefore = (BitSet) model.clone();
            regions = before.with(first, count);
            model.set(first, first + count);
            if (i % 100 == 0) {
                requireEqual(modelBefore, before, random);
                requireEqual(model, regions, random);
            }
        }
        requireEqual(model, regions, random);
        assertEquals(collected == 0, !built[built.length - 1].overlaps(0, 2 * CLUSTERS));
    }

    private static void requireEqual(BitSet model, MetadataRegions regions, Random random) {
        for (int i = 0; i < 500; i++) {
            int first = random.nextInt(CLUSTERS + 10);
            int count = 1 + random.nextInt(1 + random.nextInt(20));
            int next = model.nextSetBit(first);
            assertEquals(next >= 0 && next < first + count, regions.overlaps(first, count), () -> first + " " + count);
        }
    }
}
