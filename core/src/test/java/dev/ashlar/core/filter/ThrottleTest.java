package dev.ashlar.core.filter;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.DrainedSection;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
class ThrottleTest {
    private static final long SECOND = 1_000_000_000L;

    /** Runs requests one after the other on a clock that jumps over each wait. @return seconds that took */
    private static double run(Map<String, String> limits, boolean write, long bytes, int requests) throws Exception {
        LeakyBuckets buckets = new LeakyBuckets(ThrottleLimits.of(limits), 0);
        long now = 0;
        for (int i = 0; i < requests; i++) {
            long wait;
            while ((wait = buckets.waitNanos(write, now)) > 0) {
                now += wait;
            }
            buckets.account(write, bytes);
        }
        return (double) now / SECOND;
    }

    @Test
    void ratesHold() throws Exception {
        assertEquals(10, run(Map.of("bps-total", "1M"), true, 64 << 10, 160), 0.2);
        assertEquals(10, run(Map.of("iops-read", "100"), false, 512, 1000), 0.2);
        assertEquals(0, run(Map.of("iops-read", "100"), true, 512, 1000));
        // Requests longer than the unit count as several.
        assertEquals(20, run(Map.of("iops-write", "100", "iops-size", "4k"), true, 8 << 10, 1000), 0.2);
    }

    @Test
    void burstsLastAsLongAsAllowed() throws Exception {
        Map<String, String> limits =
                Map.of("iops-total", "100", "iops-total-max", "1000", "iops-total-max-length", "5");
        // Level rises by 900 per second of burst: 5000 are full after 5.55 s with 5555 requests, the rest goes at 100
        // per second.
        assertEquals(4.9, run(limits, true, 1, 5000), 0.2);
        assertEquals(5.55 + (8000 - 5555) / 100.0, run(limits, true, 1, 8000), 0.5);
        Map<String, String> short1 = Map.of("iops-total", "100", "iops-total-max", "1000");
        assertEquals(0, run(short1, true, 1, 1000));
        assertEquals(10, run(short1, true, 1, 2000), 0.1);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "bps-total=1,bps-read=1 | bps/iops/max total values and read/write values cannot be used at the same"
                        + " time",
                "iops-size=4096 | iops size requires an iops value to be set",
                "bps-total=10,bps-total-max=5 | bps_max/iops_max cannot be lower than bps/iops",
                "bps-total-max=5 | bps_max/iops_max require corresponding bps/iops values",
                "iops-read=10,iops-read-max-length=0 | the burst length cannot be 0",
                "iops-read=10,iops-read-max-length=2 | burst length set without burst rate",
                "iops-read=1000000000000001 | bps/iops/max values must be within [0, 1000000000000000]",
                "bps=1 | Block format 'throttle' does not support the option 'bps'"
            })
    void badLimitsAreRefused(String texts, String message) throws Exception {
        Map<String, String> options = dev.ashlar.core.FlatOptions.ofKeyval(texts);
        assertEquals(
                message,
                assertThrows(BlockException.class, () -> ThrottleLimits.of(options))
                        .getMessage());
    }

    @Test
    void nodesNeedAGroup() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            world.memory.disk("disk", 4096);
            String file = ",file.filename=disk,file.driver=mem";
            assertEquals(
                    "Please specify a throttle group",
                    assertThrows(BlockException.class, () -> world.open("driver=throttle" + file))
                            .getMessage());
            assertEquals(
                    "Throttle group 'g' does not exist",
                    assertThrows(BlockException.class, () -> world.open("driver=throttle,throttle-group=g" + file))
                            .getMessage());
            assertEquals(0, world.memory.disks.get("disk").openInstances);
        }
    }

    @Test
    void membersOfAGroupTakeTurns() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            ThrottleGroup group = world.throttle.group("g");
            group.configure(ThrottleLimits.of(Map.of("iops-write", "10")));
            List<String> order = Collections.synchronizedList(new ArrayList<>());
            List<Thread> threads = new ArrayList<>();
            List<BlockBackend> disks = new ArrayList<>();
            for (String name : List.of("a", "b")) {
                world.memory.disk(name, 4096);
                disks.add(world.open("driver=throttle,throttle-group=g,file.driver=mem,file.filename=" + name));
            }
            FilterWorld.write(disks.get(0), 0, new byte[512]);
            FilterWorld.write(disks.get(0), 0, new byte[512]);
            // Six of a come first, two of b later; b does not wait for all of a.
            for (int i = 0; i < 8; i++) {
                int disk = i < 6 ? 0 : 1;
                threads.add(Thread.ofVirtual().start(() -> {
                    try {
                        FilterWorld.write(disks.get(disk), 1024, new byte[512]);
                        order.add(disk == 0 ? "a" : "b");
                    } catch (BlockException e) {
                        order.add(e.toString());
                    }
                }));
                while (group.waiting() < i + 1) {
                    Thread.onSpinWait();
                }
            }
            for (int i = 1; i <= 8; i++) {
                assertEquals(i - 1, order.size());
                world.clock.advance(group, SECOND / 10);
                while (order.size() < i) {
                    Thread.onSpinWait();
                }
            }
            for (Thread thread : threads) {
                thread.join();
            }
            assertEquals(2, Collections.frequency(order.subList(0, 4), "b"), order.toString());
        }
    }

    /** D1, D6: what waits is let go by a drain, and is not throttled while it lasts. */
    @Test
    void aDrainDoesNotWaitForTheClock() throws Exception {
        try (FilterWorld world = new FilterWorld()) {
            world.memory.disk("disk", 4096);
            BlockBackend disk = world.open(
                    "driver=throttle,throttle-group=g,limits.bps-write=100,file.driver=mem,file.filename=disk");
            ThrottleGroup group = world.throttle.group("g");
            FilterWorld.write(disk, 0, new byte[512]);
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                threads.add(Thread.ofVirtual().start(() -> {
                    try {
                        FilterWorld.write(disk, 0, new byte[512]);
                    } catch (BlockException e) {
                        throw new IllegalStateException(e);
                    }
                }));
            }
            while (group.waiting() < 3) {
                Thread.onSpinWait();
            }
            try (DrainedSection section = disk.drain()) {
                assertEquals(0, group.waiting());
                for (Thread thread : threads) {
                    thread.join();
                }
                assertTrue(section != null);
            }
            Thread late = Thread.ofVirtual().start(() -> {
                try {
                    FilterWorld.write(disk, 0, new byte[512]);
                } catch (BlockException e) {
                    throw new IllegalStateException(e);
                }
            });
            while (group.waiting() < 1) {
                Thread.onSpinWait();
            }
            assertTrue(late.isAlive());
            group.configure(ThrottleLimits.NONE);
            late.join();
        }
    }

    @Test
    void realTimePasses() throws Exception {
        ThrottleGroup group = new ThrottleGroup("real", ThrottleClock.SYSTEM);
        group.configure(ThrottleLimits.of(Map.of("iops-total", "100")));
        ThrottleGroup.Member member = group.join();
        long begin = System.nanoTime();
        for (int i = 0; i < 30; i++) {
            member.admit(i % 2 == 0, 512);
        }
        double seconds = (System.nanoTime() - begin) / 1e9;
        assertTrue(seconds > 0.15, "30 requests, 10 of them at once, took " + seconds + " s");
        assertFalse(seconds > 20);
    }
}
