package dev.ashlar.drivers.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.Snapshots;
import dev.ashlar.core.spi.Preallocation;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import org.jspecify.annotations.Nullable;

/**
 * The difference of layers by their tables against what they contain: outside of its ranges nothing differs, and clusters that nobody has touched are in none. What
 * a snapshot holds alone is what its deletion gives back.
 */
class DifferenceTest {
    private static final int CLUSTER = 4096;

    @Property(tries = 30, shrinking = ShrinkingMode.OFF)
    void outsideOfTheRangesAllIsTheSame(@ForAll long seed) throws Exception {
        Random random = new Random(seed);
        try (Disks disks = new Disks().create("disk");
                BlockBackend backend = disks.graph.open(
                        "disk", OpenOptions.readWrite().format("qcow2").unmap(true))) {
            List<@Nullable SnapshotInfo> layers = new ArrayList<>();
            List<byte[]> contents = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                for (int j = random.nextInt(5); j > 0; j--) {
                    change(backend, random);
                }
                if (random.nextInt(3) == 0) {
                    backend.resize(backend.lengthBytes() + 512L * random.nextInt(20), Preallocation.OFF);
                }
                layers.add(Disks.create(backend.snapshots(), "s" + i));
                contents.add(Disks.read(backend));
            }
            change(backend, random);
            layers.add(null);
            contents.add(Disks.read(backend));
            for (int i = 0; i < layers.size(); i++) {
                for (int j = 0; j < layers.size(); j++) {
                    compare(backend.snapshots(), layers.get(i), contents.get(i), layers.get(j), contents.get(j));
                }
            }
            Disks.requireSound(backend, false);
        }
    }

    private static void change(BlockBackend backend, Random random) throws BlockException {
        long at = random.nextLong(backend.lengthBytes() - 3 * CLUSTER);
        int length = 1 + random.nextInt(3 * CLUSTER);
        switch (random.nextInt(4)) {
            case 0 -> backend.writeZeroes(at, length, random.nextBoolean());
            case 1 -> backend.discard(at, length);
            default -> {
                byte[] bytes = new byte[length];
                random.nextBytes(bytes);
                backend.write(at, MemorySegment.ofArray(bytes));
            }
        }
    }

    private static void compare(
            Snapshots snapshots, @Nullable SnapshotInfo from, byte[] one, @Nullable SnapshotInfo to, byte[] other)
            throws BlockException {
        List<Snapshots.Range> ranges = snapshots.difference(from, to);
        boolean[] covered = new boolean[Math.max(one.length, other.length)];
        long end = -1;
        for (Snapshots.Range range : ranges) {
            assertTrue(range.guestOffset() > end && range.lengthBytes() > 0, "ascending, merged: " + ranges);
            end = range.guestOffset() + range.lengthBytes();
            java.util.Arrays.fill(covered, (int) range.guestOffset(), (int) end, true);
        }
        for (int i = 0; i < covered.length; i++) {
            boolean differs = i >= one.length || i >= other.length || one[i] != other[i];
            if (differs && !covered[i]) {
                throw new AssertionError("byte " + i + " differs, ranges " + ranges);
            }
        }
        assertEquals(ranges, snapshots.difference(to, from), "symmetric");
        if (java.util.Objects.equals(from, to)) {
            assertEquals(List.of(), ranges);
        }
    }

    /** One cluster changed is one cluster found, however much the layers hold. */
    @Property(tries = 20, shrinking = ShrinkingMode.OFF)
    void nothingElseIsInTheRanges(@ForAll long seed) throws Exception {
        Random random = new Random(seed);
        try (Disks disks = new Disks().create("disk");
                BlockBackend backend = disks.open("disk")) {
            Disks.fill(backend, 1);
            SnapshotInfo before = Disks.create(backend.snapshots(), "s");
            int cluster = random.nextInt(Disks.SIZE / CLUSTER);
            backend.write((long) cluster * CLUSTER + random.nextInt(CLUSTER), MemorySegment.ofArray(new byte[1]));
            assertEquals(
                    List.of(new Snapshots.Range((long) cluster * CLUSTER, CLUSTER)),
                    backend.snapshots().difference(before, null));
            var usage = backend.snapshots().usage(before);
            assertEquals(
                    3 * CLUSTER, usage.exclusiveBytes(), "its L1 and L2 table and the cluster that was overwritten");
            assertEquals(Disks.SIZE - CLUSTER, usage.sharedBytes());
        }
    }
}
