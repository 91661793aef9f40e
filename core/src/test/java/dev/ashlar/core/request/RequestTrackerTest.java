package dev.ashlar.core.request;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class RequestTrackerTest {
    private final RequestTracker tracker = new RequestTracker();

    private static Thread start(Runnable body) {
        return Thread.ofVirtual().start(body);
    }

    private static void pause() {
        LockSupport.parkNanos(Duration.ofMillis(30).toNanos());
    }

    @Property(tries = 2000)
    void aSlotWordHidesNoOverlap(
            @ForAll @LongRange(min = 0, max = Long.MAX_VALUE - 1) long start,
            @ForAll @LongRange(min = 1, max = 1L << 40) long length,
            @ForAll @LongRange(min = 0, max = 1L << 40) long distance) {
        long end = start > Long.MAX_VALUE - length ? Long.MAX_VALUE : start + length;
        long word = SlotWord.of(start, end);
        long inside = Math.min(end - 1, start + distance % (end - start));
        assertTrue(SlotWord.overlaps(word, inside, inside + 1));
        assertTrue(SlotWord.overlaps(word, 0, Long.MAX_VALUE));
        assertTrue((word & 1) == 1);
        if (start > 1 << 16) {
            assertFalse(SlotWord.overlaps(word, 0, start - (1 << 16)));
        }
        if (length < 1L << 30 && end < Long.MAX_VALUE - (1 << 17)) {
            assertFalse(SlotWord.overlaps(word, end + (1 << 16), Long.MAX_VALUE));
        }
    }

    /** F2: what overlaps and serialises never runs together with anything, and everybody gets a turn. */
    @Property(tries = 6)
    void serialisingRequestsRunAlone(@ForAll long seed) throws Exception {
        int units = 8;
        AtomicInteger[] inside = new AtomicInteger[units];
        for (int i = 0; i < units; i++) {
            inside[i] = new AtomicInteger();
        }
        AtomicReference<String> broken = new AtomicReference<>();
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 6; t++) {
            Random random = new Random(seed + t);
            threads.add(Thread.ofPlatform().start(() -> {
                for (int n = 0; n < 400; n++) {
                    int first = random.nextInt(units);
                    int last = first + random.nextInt(units - first);
                    boolean alone = random.nextInt(3) == 0;
                    long start = (long) first << 16;
                    long end = (long) (last + 1) << 16;
                    TrackedRequest request = alone
                            ? tracker.enterSerialising(start, end, Origin.BACKEND)
                            : tracker.enter(start, end, Origin.BACKEND);
                    for (int u = first; u <= last; u++) {
                        int before = inside[u].getAndAdd(alone ? 1000 : 1);
                        if (alone ? before != 0 : before >= 1000) {
                            broken.set("unit " + u + " had " + before + ", alone " + alone);
                        }
                    }
                    if (random.nextInt(8) == 0) {
                        Thread.yield();
                    }
                    for (int u = first; u <= last; u++) {
                        inside[u].getAndAdd(alone ? -1000 : -1);
                    }
                    tracker.exit(request);
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertEquals(null, broken.get());
        assertEquals(0, tracker.inFlight());
    }

    @Test
    void moreRequestsThanSlots() throws Exception {
        List<TrackedRequest> many = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            many.add(tracker.enter(0, 10, Origin.BACKEND));
        }
        assertEquals(200, tracker.inFlight());
        CountDownLatch in = new CountDownLatch(1);
        Thread alone = start(() -> {
            TrackedRequest request = tracker.enterSerialising(0, 10, Origin.BACKEND);
            in.countDown();
            tracker.exit(request);
        });
        pause();
        assertEquals(1, in.getCount());
        many.forEach(tracker::exit);
        alone.join();
        assertEquals(0, tracker.inFlight());
    }

    /** Registration decides the order: a reader that came after a waiting writer waits for it. */
    @Test
    void laterRequestsWaitForEarlierSerialisingOnes() throws Exception {
        List<String> order = Collections.synchronizedList(new ArrayList<>());
        TrackedRequest reader = tracker.enter(0, 100, Origin.BACKEND);
        Thread writer = start(() -> {
            TrackedRequest request = tracker.enterSerialising(50, 150, Origin.BACKEND);
            order.add("writer");
            tracker.exit(request);
        });
        pause();
        Thread second = start(() -> {
            TrackedRequest request = tracker.enter(120, 130, Origin.BACKEND);
            order.add("reader");
            tracker.exit(request);
        });
        TrackedRequest elsewhere = tracker.enter(1 << 20, 1 << 21, Origin.BACKEND);
        tracker.exit(elsewhere);
        pause();
        assertEquals(List.of(), order);
        tracker.exit(reader);
        writer.join();
        second.join();
        assertEquals(List.of("writer", "reader"), order);
    }

    /** D1, D6, D7: users wait at the gate, parents pass, what was held back runs once and in order. */
    @Test
    void drainHoldsUsersBackInOrder() throws Exception {
        TrackedRequest running = tracker.enter(0, 1, Origin.BACKEND);
        tracker.drainBegin(-1);
        tracker.drainBegin(-1);
        List<Integer> order = Collections.synchronizedList(new ArrayList<>());
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            int me = i;
            threads.add(start(() -> {
                TrackedRequest request = tracker.enterSerialising(0, 1, Origin.BACKEND);
                order.add(me);
                tracker.exit(request);
            }));
            pause();
        }
        TrackedRequest ofParent = tracker.enter(0, 1, Origin.PARENT);
        tracker.exit(ofParent);
        Thread ender = start(() -> {
            pause();
            tracker.exit(running);
        });
        tracker.awaitIdle();
        ender.join();
        assertEquals(List.of(), order);
        tracker.drainEnd(-1);
        pause();
        assertEquals(List.of(), order, "D2: one of two drains lasts");
        tracker.drainEnd(-1);
        for (Thread thread : threads) {
            thread.join();
        }
        assertEquals(List.of(0, 1, 2, 3, 4), order);
        assertThrows(IllegalStateException.class, () -> tracker.drainEnd(-1));
    }

    /** C1: an interrupt neither loses nor ends a wait. */
    @Test
    void interruptsLeaveTheCountRight() throws Exception {
        TrackedRequest first = tracker.enterSerialising(0, 10, Origin.BACKEND);
        CountDownLatch in = new CountDownLatch(1);
        AtomicInteger interrupted = new AtomicInteger();
        Thread waiter = Thread.ofPlatform().start(() -> {
            TrackedRequest request = tracker.enter(0, 10, Origin.BACKEND);
            interrupted.set(Thread.currentThread().isInterrupted() ? 1 : 0);
            in.countDown();
            tracker.exit(request);
        });
        pause();
        waiter.interrupt();
        pause();
        assertEquals(1, in.getCount());
        tracker.exit(first);
        waiter.join();
        assertEquals(1, interrupted.get(), "the interrupt stays pending");
        assertEquals(0, tracker.inFlight());
    }

    @Test
    void knowsWhoIsInside() {
        assertFalse(tracker.isInside());
        TrackedRequest fast = tracker.enter(0, 1, Origin.BACKEND);
        assertTrue(tracker.isInside());
        tracker.exit(fast);
        assertFalse(tracker.isInside());
        TrackedRequest slow = tracker.enterSerialising(0, 1, Origin.BACKEND);
        assertTrue(tracker.isInside());
        tracker.exit(slow);
        assertFalse(tracker.isInside());
    }

    @Test
    void theHolderOfADrainIsNotLeftWaitingForItself() {
        long me = Thread.currentThread().threadId();
        tracker.drainBegin(me);
        assertThrows(IllegalStateException.class, () -> tracker.enter(0, 1, Origin.BACKEND));
        assertThrows(IllegalStateException.class, () -> tracker.enterSerialising(0, 1, Origin.BACKEND));
        tracker.drainEnd(me);
        assertEquals(0, tracker.inFlight());
        tracker.exit(tracker.enter(0, 1, Origin.BACKEND));
    }
}
