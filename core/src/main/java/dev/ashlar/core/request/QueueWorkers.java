package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The slow way of a queue: requests that need more than the ring are done the blocking way, each by a virtual thread, and come back through a list without a lock.
 * Started and collected by the queue's owner.
 */
final class QueueWorkers {
    /** Not started: somebody who may not touch what is confined to another thread. */
    private static final Thread STRANGER = Thread.ofVirtual().unstarted(new Runnable() {
        @Override
        public void run() {}
    });

    private final Supplier<Layer> root;
    private final Origin origin;
    /** Called by workers, after each request. */
    private final Runnable wakeOwner;

    /** The owner's. */
    private int pending;

    private final AtomicReference<@Nullable QueueEntry> finished = new AtomicReference<>();

    QueueWorkers(Supplier<Layer> root, Origin origin, Runnable wakeOwner) {
        this.root = root;
        this.origin = origin;
        this.wakeOwner = wakeOwner;
    }

    /** Requests started and not yet collected. */
    int pending() {
        return pending;
    }

    /** Whether there is something to collect. */
    boolean hasFinished() {
        return finished.get() != null;
    }

    void start(QueueEntry entry) {
        MemorySegment buffer = entry.buffer;
        if (buffer != null && !buffer.isAccessibleBy(STRANGER)) {
            MemorySegment stand = Arena.ofAuto().allocate(Math.max(1, buffer.byteSize()), BufferPool.ALIGNMENT_BYTES);
            entry.stand = stand.asSlice(0, buffer.byteSize());
            if (entry.kind == QueueEntry.Kind.WRITE) {
                entry.stand.copyFrom(buffer);
            }
        }
        pending++;
        Thread.ofVirtual().name("ashlar-queue").start(() -> work(entry));
    }

    /** Runs on a worker. */
    private void work(QueueEntry entry) {
        try {
            MemorySegment buffer = entry.stand != null ? entry.stand : entry.buffer;
            doWork(entry, buffer);
            entry.finish(buffer == null ? 0 : (int) buffer.byteSize(), null);
        } catch (BlockException e) {
            entry.finish(-e.kind().errno(), e);
        } catch (RuntimeException | Error e) {
            entry.finish(-5, new BlockException(Kind.IO, "The request failed in core or in a driver: " + e, e));
        }
        handBack(entry);
        wakeOwner.run();
    }

    /** Any worker: puts a finished entry where the owner finds it. */
    void handBack(QueueEntry entry) {
        do {
            entry.next = finished.get();
        } while (!finished.compareAndSet(entry.next, entry));
    }

    private void doWork(QueueEntry entry, @Nullable MemorySegment buffer) throws BlockException {
        while (true) {
            try {
                Layer layer = root.get();
                if (buffer == null) {
                    layer.flush(origin);
                } else if (entry.kind == QueueEntry.Kind.READ) {
                    layer.read(entry.offset, buffer, origin);
                } else {
                    layer.write(entry.offset, buffer, origin);
                }
                return;
            } catch (RouteChanged e) {
                // Once more, where the user is now.
            }
        }
    }

    /** Moves what workers finished to the ready list, in order. */
    void collect(ArrayDeque<QueueEntry> ready) {
        QueueEntry newest = finished.get() == null ? null : finished.getAndSet(null);
        QueueEntry oldest = null;
        while (newest != null) {
            QueueEntry before = newest.next;
            newest.next = oldest;
            oldest = newest;
            newest = before;
        }
        while (oldest != null) {
            QueueEntry behind = oldest.next;
            oldest.next = null;
            pending--;
            MemorySegment stand = oldest.stand;
            if (stand != null && oldest.buffer != null && oldest.kind == QueueEntry.Kind.READ && oldest.result >= 0) {
                oldest.buffer.copyFrom(stand);
            }
            ready.add(oldest);
            oldest = behind;
        }
    }
}
