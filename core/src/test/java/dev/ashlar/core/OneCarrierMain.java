package dev.ashlar.core;

import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.toy.World;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Run in a process of its own whose virtual threads share one carrier: first among threads that never leave it by themselves, then with
 * all I/O of one disk stuck and the carrier taken for good. Prints one line per thing that control code got done.
 */
final class OneCarrierMain {
    private OneCarrierMain() {}

    public static void main(String[] arguments) throws Exception {
        try (World world = new World()) {
            world.toyImage("busy", 4096, 1 << 18);
            world.toyImage("stuck", 4096, 1 << 18);
            amongThreadsThatNeverBlock(world);
            withAllRequestsStuck(world);
        }
        System.out.println("done");
        // Threads that spin for ever are no reason to stay.
        Runtime.getRuntime().halt(0);
    }

    private static void amongThreadsThatNeverBlock(World world) throws Exception {
        AtomicBoolean stop = new AtomicBoolean();
        List<Thread> threads = new ArrayList<>();
        try (BlockBackend backend = world.open("busy", "toy")) {
            for (int t = 0; t < 4; t++) {
                long offset = t * 4096L;
                threads.add(Thread.ofVirtual().start(() -> {
                    MemorySegment bytes = MemorySegment.ofArray(new byte[5000]);
                    while (!stop.get()) {
                        write(backend, offset, bytes);
                    }
                }));
            }
            for (int i = 0; i < 500; i++) {
                backend.drain().close();
                world.graph.drainAll().close();
                if (i % 50 == 0) {
                    backend.snapshots()
                            .create(new SnapshotRequest("", "s" + i, 0, 0, 0, 0, java.util.OptionalLong.empty()));
                }
            }
            System.out.println("drained among threads that never block");
            stop.set(true);
            for (Thread thread : threads) {
                thread.join();
            }
        }
    }

    private static void withAllRequestsStuck(World world) throws Exception {
        BlockBackend stuck = world.open("stuck", "toy");
        BlockBackend free = world.open("busy", "toy");
        CountDownLatch release = new CountDownLatch(1);
        CountDownLatch inside = new CountDownLatch(2);
        world.disk("stuck").hook = (operation, offset, length) -> {
            inside.countDown();
            try {
                release.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        };
        MemorySegment page = MemorySegment.ofArray(new byte[4096]);
        for (int t = 0; t < 4; t++) {
            // Two are stuck in the disk, two wait for one of them.
            long offset = (t & 1) * 65536L;
            Thread.ofVirtual().start(() -> write(stuck, offset, page));
        }
        inside.await();
        CountDownLatch spinning = new CountDownLatch(1);
        Thread.ofVirtual().start(() -> {
            spinning.countDown();
            while (true) {
                Thread.onSpinWait();
            }
        });
        spinning.await();
        // Held back, let in again, and without a carrier to notice.
        DrainedSection section = free.drain();
        try {
            Thread.ofVirtual().start(() -> write(free, 0, page));
        } finally {
            section.close();
        }
        for (int i = 0; i < 100; i++) {
            free.drain().close();
        }
        System.out.println("drained beside stuck requests");
        free.snapshots().create(new SnapshotRequest("", "beside", 0, 0, 0, 0, java.util.OptionalLong.empty()));
        world.toyImage("more", 4096, 1 << 18);
        BlockBackend more = world.open("more", "toy");
        more.resize(1 << 19, dev.ashlar.core.spi.Preallocation.OFF);
        more.close();
        System.out.println("opened, resized and closed beside stuck requests");
        Thread drainer = Thread.ofPlatform().daemon().start(() -> stuck.drain().close());
        drainer.join(100);
        System.out.println(drainer.isAlive() ? "the stuck disk's drain waits" : "a drain ended before its requests");
        System.out.println(world.graph.nodes().size() + " nodes");
        Runtime.getRuntime().halt(0);
    }

    private static void write(BlockBackend backend, long offset, MemorySegment bytes) {
        try {
            backend.write(offset, bytes);
        } catch (BlockException e) {
            throw new AssertionError(e);
        }
    }
}
