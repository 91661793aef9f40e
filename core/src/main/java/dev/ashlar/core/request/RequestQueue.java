package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.IoQueue;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The engine of a {@link dev.ashlar.core.BlockQueue}. A request goes one of three ways: straight to the ring of the file, to a
 * virtual thread that does it the blocking way, or, while the node is drained, into a list that waits for the end of the drain. All
 * three complete into this queue, on its owner's thread.
 *
 * <p>The owner's fields have no protection. Other threads touch three things only: the list of entries that {@linkplain QueueWorkers workers} finished, the
 * word that says where the owner sleeps, and the wake-up of the ring.
 */
public final class RequestQueue implements BankOwner {
    /** Where the owner sleeps. */
    private enum Sleep {
        AWAKE,
        IN_RING,
        PARKED
    }

    private final Supplier<Layer> root;
    private final Origin origin;
    private final @Nullable HitPath path;
    private final @Nullable IoQueue ring;
    private final IoQueue.CompletionSink ringSink = this::ringCompleted;

    // The owner's.
    private final QueueEntries entries;
    private @Nullable Thread owner;
    private final ArrayDeque<QueueEntry> held = new ArrayDeque<>();
    /** Finished, to be handed out by the next await. */
    private final ArrayDeque<QueueEntry> ready = new ArrayDeque<>();

    private IoQueue.@Nullable CompletionSink sink;
    private final Failures failures;
    private int handedOut;
    private boolean deferring;
    private boolean closed;

    // Shared with workers and with those who end drains.
    private final QueueWorkers workers;
    private volatile boolean resumed;
    private volatile Sleep sleep = Sleep.AWAKE;

    /**
     * @param root the data plane of the node where the user is at the moment
     * @param origin that user
     */
    public RequestQueue(Supplier<Layer> root, Origin origin, int depth) throws BlockException {
        this.root = root;
        this.origin = origin;
        Layer layer = root.get();
        this.entries = new QueueEntries(depth);
        this.failures = new Failures(depth);
        this.workers = new QueueWorkers(root, origin, this::wake);
        HitPath direct = HitPath.from(layer, depth, this);
        IoQueue opened = null;
        try {
            opened = direct == null ? null : direct.opening().openQueue(depth);
        } finally {
            if (direct != null && opened == null) {
                direct.close();
            }
        }
        this.path = direct;
        this.ring = opened;
    }

    public int depth() {
        return entries.depth();
    }

    /** Requests taken and not yet handed out as completed. */
    public int inFlight() {
        return entries.inUse();
    }

    public boolean read(long offset, MemorySegment destination, long token) throws BlockException {
        if (destination.isReadOnly()) {
            throw new IllegalArgumentException("the buffer of a read is read-only");
        }
        return take(QueueEntry.Kind.READ, offset, destination, token);
    }

    public boolean write(long offset, MemorySegment source, long token) throws BlockException {
        return take(QueueEntry.Kind.WRITE, offset, source, token);
    }

    public boolean flush(long token) throws BlockException {
        return take(QueueEntry.Kind.FLUSH, 0, null, token);
    }

    public int submit() throws BlockException {
        checkOwner();
        startHeld();
        return ring == null ? 0 : ring.submit();
    }

    /** As {@link dev.ashlar.core.BlockQueue#await}. */
    public int await(int minimum, IoQueue.CompletionSink completions) throws BlockException {
        checkOwner();
        if (sink != null) {
            throw new IllegalStateException("await was called from a completion");
        }
        sink = completions;
        handedOut = 0;
        try {
            handOutFinished();
            startHeld();
            if (ring != null && ring.inFlight() > 0 && handedOut >= minimum) {
                ring.await(0, ringSink);
            }
            boolean interrupted = false;
            while (handedOut < minimum && inFlight() > 0) {
                interrupted |= sleepUntilSomethingHappens(minimum - handedOut);
                startHeld();
                handOutFinished();
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            return handedOut;
        } finally {
            sink = null;
        }
    }

    /** The reason of a completion with a negative result, once. */
    public @Nullable BlockException takeFailure(long token) {
        checkOwner();
        return failures.take(token);
    }

    /** Waits for what is under way and drops it; what was held back never starts. */
    public void close() throws BlockException {
        if (closed) {
            return;
        }
        checkOwner();
        if (sink != null) {
            throw new IllegalStateException("close was called from a completion");
        }
        closed = true;
        while (!held.isEmpty()) {
            entries.release(held.remove());
        }
        deferring = true;
        try {
            awaitRing();
            boolean interrupted = false;
            while (workers.pending() > 0) {
                interrupted |= park();
                workers.collect(ready);
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        } finally {
            if (path != null) {
                path.close();
            }
            if (ring != null) {
                ring.close();
            }
        }
    }

    @Override
    public void resume() {
        resumed = true;
        wake();
    }

    @Override
    public boolean isInsideCompletion() {
        return sink != null && Thread.currentThread() == owner;
    }

    @Override
    public void finishIfOwned() {
        if (Thread.currentThread() != owner || ring == null || ring.inFlight() == 0) {
            return;
        }
        deferring = true;
        try {
            awaitRing();
        } catch (BlockException e) {
            throw new IllegalStateException("the queue's own ring failed", e);
        } finally {
            deferring = false;
        }
    }

    private void awaitRing() throws BlockException {
        while (ring != null && ring.inFlight() > 0) {
            ring.await(ring.inFlight(), ringSink);
        }
    }

    private boolean take(QueueEntry.Kind kind, long offset, @Nullable MemorySegment buffer, long token)
            throws BlockException {
        checkOwner();
        if (closed) {
            throw new BlockException(Kind.CLOSED, "The queue is closed");
        }
        if (entries.isFull()) {
            return false;
        }
        long length = buffer == null ? 0 : buffer.byteSize();
        if (offset < 0 || length > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("range " + offset + "+" + length);
        }
        QueueEntry entry = entries.take(kind, offset, buffer, token);
        if (buffer != null && offset > root.get().lengthBytes() - length) {
            BlockException failure = new BlockException(
                    Kind.OUT_OF_BOUNDS,
                    "Request at offset " + offset + " of " + length + " bytes reaches beyond the end");
            entry.finish(-5, failure);
            ready.add(entry);
        } else if (!held.isEmpty() || !startInRing(entry)) {
            holdOrHandToWorker(entry);
        }
        return true;
    }

    private boolean startInRing(QueueEntry entry) {
        MemorySegment buffer = entry.buffer;
        if (path == null || ring == null || buffer == null || buffer.byteSize() == 0) {
            return false;
        }
        boolean write = entry.kind == QueueEntry.Kind.WRITE;
        long host = path.enter(entry.index, entry.offset, buffer, write, origin);
        if (host < 0) {
            return false;
        }
        boolean taken = false;
        try {
            entry.hostOffset = host;
            taken = write ? ring.write(host, buffer, entry.index) : ring.read(host, buffer, entry.index);
        } finally {
            if (!taken) {
                path.exit(entry.index);
            }
        }
        return taken;
    }

    private void holdOrHandToWorker(QueueEntry entry) {
        if (!isLedElsewhere() && (!held.isEmpty() || root.get().tracker().isDrained())) {
            held.add(entry);
            // The drain may have ended before the entry stood in the list.
            resumed = true;
        } else {
            workers.start(entry);
        }
    }

    /** The graph changed since the queue was opened: all goes the blocking way, and workers wait at the gate by themselves. */
    private boolean isLedElsewhere() {
        return path == null || !path.isCurrent(origin);
    }

    /** Starts what was held back, in order of arrival (D7). */
    private void startHeld() {
        if (held.isEmpty() || !resumed) {
            return;
        }
        resumed = false;
        while (!held.isEmpty() && (isLedElsewhere() || !root.get().tracker().isDrained())) {
            QueueEntry entry = held.remove();
            if (!startInRing(entry)) {
                if (!isLedElsewhere() && root.get().tracker().isDrained()) {
                    held.addFirst(entry);
                } else {
                    workers.start(entry);
                }
            }
        }
    }

    /** Any thread. */
    private void wake() {
        switch (sleep) {
            case IN_RING -> {
                if (ring != null) {
                    ring.wakeup();
                }
            }
            case PARKED -> LockSupport.unpark(owner);
            case AWAKE -> {}
        }
    }

    /** @return whether the thread was interrupted */
    private boolean sleepUntilSomethingHappens(int wanted) throws BlockException {
        if (ring == null || ring.inFlight() == 0) {
            return park();
        }
        sleep = Sleep.IN_RING;
        try {
            boolean nothingYet = !workers.hasFinished() && !(resumed && !held.isEmpty());
            ring.await(nothingYet ? Math.min(wanted, ring.inFlight()) : 0, ringSink);
        } finally {
            sleep = Sleep.AWAKE;
        }
        return false;
    }

    private boolean park() {
        if (workers.pending() == 0 && !held.isEmpty() && root.get().tracker().isDrainedByThisThread()) {
            throw new IllegalStateException(
                    "the thread that holds a drained section waits for requests held back by it");
        }
        boolean interrupted = false;
        sleep = Sleep.PARKED;
        try {
            while (!workers.hasFinished() && !(resumed && !held.isEmpty())) {
                LockSupport.park(this);
                interrupted |= Thread.interrupted();
            }
        } finally {
            sleep = Sleep.AWAKE;
        }
        return interrupted;
    }

    private void handOutFinished() {
        workers.collect(ready);
        while (!ready.isEmpty()) {
            handOut(ready.remove());
        }
    }

    private void ringCompleted(long index, int result) {
        QueueEntry entry = entries.at((int) index);
        HitPath direct = path;
        if (direct == null) {
            throw new IllegalStateException("a completion without a path");
        }
        boolean write = entry.kind == QueueEntry.Kind.WRITE;
        long length = entry.lengthBytes();
        if (result >= 0 && write) {
            direct.file().grewTo(entry.hostOffset + result);
        }
        if (write) {
            direct.written(entry.index, entry.hostOffset, length);
        }
        direct.exit(entry.index);
        if (result >= 0 && result < length && !closed) {
            if (write || entry.hostOffset + length <= direct.file().lengthBytes()) {
                // Short for a reason that only the blocking way can find out.
                workers.start(entry);
                return;
            }
            zeroBehindEnd(entry, result);
        }
        entry.finish(
                result < 0 ? result : (int) length, result < 0 ? HitPath.failure(result, direct.file(), write) : null);
        if (deferring) {
            ready.add(entry);
        } else {
            handOut(entry);
        }
    }

    private static void zeroBehindEnd(QueueEntry entry, int result) {
        MemorySegment buffer = entry.buffer;
        if (buffer != null) {
            buffer.asSlice(result).fill((byte) 0);
        }
    }

    private void handOut(QueueEntry entry) {
        IoQueue.CompletionSink target = sink;
        long token = entry.token;
        int result = entry.result;
        BlockException failure = entry.failure;
        entries.release(entry);
        handedOut++;
        if (failure != null) {
            failures.put(token, failure);
        }
        if (target != null) {
            target.completed(token, result);
        }
    }

    private void checkOwner() {
        Thread current = Thread.currentThread();
        if (owner != current) {
            if (owner != null) {
                throw new IllegalStateException("the queue belongs to thread " + owner.getName());
            }
            owner = current;
        }
    }
}
