package dev.ashlar.nativeio;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The engine on {@code io_uring}.
 *
 * <p>Each operation has a slot, and the slot's number is the word that comes back with the
 * completion. A file that is closed before its operation is prepared becomes an operation that does
 * nothing, whose result is replaced on arrival.
 */
final class UringEngine implements IoEngine {
    private static final long CANCEL_USER_DATA = -1;
    private static final long WAKEUP_USER_DATA = -2;

    /**
     * Engines not closed yet, so that the garbage collector leaves alone what their rings write to.
     */
    private static final Set<UringEngine> OPEN = ConcurrentHashMap.newKeySet();

    private final Ring ring;
    private final SubmissionEntries entries;
    private final RegisteredResources resources;
    private final OperationSlots slots;
    private final RingWakeup wakeup;
    private boolean closed;

    static UringEngine open(int capacity, EngineOwnership ownership, RingKernel kernel) throws ErrnoException {
        return open(capacity, capacity, RingSetup.choices(ownership), kernel);
    }

    /** As above with the length of the submission queue and the setup flags chosen by the caller. */
    static UringEngine open(int capacity, int entries, RingSetup[] choices, RingKernel kernel) throws ErrnoException {
        Ring ring = Ring.open(entries, choices, kernel);
        try {
            RingFeatures.of(ring).requireEngineOperations();
            UringEngine engine = new UringEngine(capacity, ring);
            OPEN.add(engine);
            return engine;
        } catch (ErrnoException e) {
            ring.close();
            throw e;
        }
    }

    private UringEngine(int capacity, Ring ring) throws ErrnoException {
        this.ring = ring;
        entries = new SubmissionEntries(ring.entries());
        slots = new OperationSlots(capacity);
        resources = new RegisteredResources(ring);
        wakeup = RingWakeup.open();
    }

    @Override
    public int capacity() {
        return slots.capacity();
    }

    @Override
    public int inFlight() {
        return slots.used();
    }

    @Override
    public boolean isAsynchronous() {
        return true;
    }

    @Override
    public boolean prepareRead(
            LinuxFile file, long fileOffset, MemorySegment buffer, long bufferOffset, int lengthBytes, long token) {
        Buffers.requireReadTarget(buffer);
        return prepareTransfer(
                SubmissionEntries.READ,
                SubmissionEntries.READ_FIXED,
                file,
                fileOffset,
                buffer,
                bufferOffset,
                lengthBytes,
                token);
    }

    @Override
    public boolean prepareWrite(
            LinuxFile file, long fileOffset, MemorySegment buffer, long bufferOffset, int lengthBytes, long token) {
        Buffers.requireNative(buffer);
        return prepareTransfer(
                SubmissionEntries.WRITE,
                SubmissionEntries.WRITE_FIXED,
                file,
                fileOffset,
                buffer,
                bufferOffset,
                lengthBytes,
                token);
    }

    private boolean prepareTransfer(
            byte operation,
            byte fixedOperation,
            LinuxFile file,
            long fileOffset,
            MemorySegment buffer,
            long bufferOffset,
            int lengthBytes,
            long token) {
        Objects.checkFromIndexSize(bufferOffset, lengthBytes, buffer.byteSize());
        Buffers.requireAlive(buffer);
        if (fileOffset < 0) {
            // The ring takes -1 for "the file position", which plain calls refuse.
            return prepareFailed(-Errno.EINVAL, token);
        }
        long address = buffer.address() + bufferOffset;
        int region = resources.regionOf(address, lengthBytes);
        long entry =
                prepare(region < 0 ? operation : fixedOperation, file, fileOffset, address, lengthBytes, token, buffer);
        if (entry >= 0 && region > 0) {
            entries.setRegion(entry, region);
        }
        return entry >= 0;
    }

    @Override
    public boolean prepareReadv(LinuxFile file, long fileOffset, IoVector vector, long token) {
        vector.requireWritable();
        return prepareVector(SubmissionEntries.READV, file, fileOffset, vector, token);
    }

    @Override
    public boolean prepareWritev(LinuxFile file, long fileOffset, IoVector vector, long token) {
        return prepareVector(SubmissionEntries.WRITEV, file, fileOffset, vector, token);
    }

    private boolean prepareVector(byte operation, LinuxFile file, long fileOffset, IoVector vector, long token) {
        if (fileOffset < 0) {
            return prepareFailed(-Errno.EINVAL, token);
        }
        long address = vector.entries().address();
        return prepare(operation, file, fileOffset, address, vector.count(), token, vector) >= 0;
    }

    @Override
    public boolean prepareFdatasync(LinuxFile file, long token) {
        long entry = prepare(SubmissionEntries.FSYNC, file, 0, 0, 0, token, null);
        if (entry >= 0) {
            entries.setDataOnly(entry);
        }
        return entry >= 0;
    }

    @Override
    public boolean prepareFsync(LinuxFile file, long token) {
        return prepare(SubmissionEntries.FSYNC, file, 0, 0, 0, token, null) >= 0;
    }

    @Override
    public boolean prepareFallocate(LinuxFile file, FallocateMode mode, long fileOffset, long lengthBytes, long token) {
        return prepare(SubmissionEntries.FALLOCATE, file, fileOffset, lengthBytes, mode.bits(), token, null) >= 0;
    }

    @Override
    public boolean prepareNop(long token) {
        return prepareFailed(0, token);
    }

    /** Prepares an operation whose result is known already. */
    private boolean prepareFailed(int result, long token) {
        long entry = slots.isFull() ? -1 : nextEntry();
        if (entry < 0) {
            return false;
        }
        int slot = slots.take(token, null, null);
        slots.setEarlyError(slot, result);
        entries.fill(entry, SubmissionEntries.NOP, (byte) 0, -1, 0, 0, 0, slot);
        return true;
    }

    /** Fills in the next entry; returns its offset, or -1 when there is no room. */
    private long prepare(
            byte operation,
            LinuxFile file,
            long offset,
            long address,
            int length,
            long token,
            @Nullable Object buffer) {
        long entry = slots.isFull() ? -1 : nextEntry();
        if (entry < 0) {
            return -1;
        }
        int fixed = resources.indexOf(file);
        if (fixed >= 0 && !file.isClosed()) {
            int slot = slots.take(token, buffer, null);
            entries.fill(entry, operation, SubmissionEntries.FIXED_FILE, fixed, offset, address, length, slot);
        } else if (fixed < 0 && file.acquire()) {
            int slot = slots.take(token, buffer, file);
            entries.fill(entry, operation, (byte) 0, file.descriptor(), offset, address, length, slot);
        } else {
            int slot = slots.take(token, null, null);
            slots.setEarlyError(slot, -Errno.EBADF);
            entries.fill(entry, SubmissionEntries.NOP, (byte) 0, -1, 0, 0, 0, slot);
        }
        return entry;
    }

    /**
     * A place in the submission queue, submitting to make one if need be; -1 if the kernel takes
     * nothing now.
     */
    private long nextEntry() {
        if (closed) {
            throw new IllegalStateException("engine is closed");
        }
        long entry = ring.nextEntry();
        if (entry < 0) {
            try {
                ring.enter(0, false, Long.MAX_VALUE);
            } catch (ErrnoException e) {
                throw new IllegalStateException("ring has failed", e);
            }
            entry = ring.nextEntry();
        }
        return entry;
    }

    @Override
    public boolean cancel(long token) {
        int slot = slots.find(token);
        if (slot < 0) {
            return false;
        }
        long entry = nextEntry();
        if (entry >= 0) {
            entries.fill(entry, SubmissionEntries.ASYNC_CANCEL, (byte) 0, -1, 0, slot, 0, CANCEL_USER_DATA);
        }
        return true;
    }

    @Override
    public int submit() throws ErrnoException {
        int pending = ring.pending();
        if (pending > 0) {
            ring.enter(0, false, Long.MAX_VALUE);
        }
        return pending - ring.pending();
    }

    @Override
    public int poll(CompletionConsumer consumer) throws ErrnoException {
        requireOpen();
        int count = consume(consumer);
        if (ring.hasHiddenCompletions()) {
            ring.enter(0, true, Long.MAX_VALUE);
            count += consume(consumer);
        }
        return count;
    }

    @Override
    public int await(int minCompletions, CompletionConsumer consumer) throws ErrnoException {
        requireOpen();
        int target = Math.min(minCompletions, inFlight());
        int count = 0;
        do {
            int missing = Math.max(0, target - count - ring.completionCount());
            if (missing > 0 || ring.pending() > 0 || ring.hasHiddenCompletions()) {
                ring.enter(missing, true, Long.MAX_VALUE);
            }
            count += consume(consumer);
        } while (count < target);
        return count;
    }

    @Override
    public int awaitOrWakeup(int minCompletions, long timeoutNanos, CompletionConsumer consumer) throws ErrnoException {
        requireOpen();
        armWakeup();
        int target = inFlight() == 0 ? minCompletions : Math.min(minCompletions, inFlight());
        long startNanos = timeoutNanos == Long.MAX_VALUE ? 0 : System.nanoTime();
        long leftNanos = timeoutNanos;
        int count = consume(consumer);
        if (count >= target || leftNanos <= 0 || wakeup.hasArrived()) {
            count += await(0, consumer);
        }
        // What is pending goes to the kernel with the call that waits.
        while (count < target && leftNanos > 0 && !wakeup.hasArrived()) {
            // One at a time: the wake-up is a completion too, and must not wait for the others.
            ring.enter(1, true, leftNanos);
            count += consume(consumer);
            if (timeoutNanos != Long.MAX_VALUE) {
                leftNanos = timeoutNanos - (System.nanoTime() - startNanos);
            }
        }
        wakeup.forget();
        return count;
    }

    /** Keeps one read of the wake-up counter in flight. */
    private void armWakeup() {
        if (!wakeup.isArmed()) {
            long entry = nextEntry();
            if (entry >= 0) {
                entries.fill(
                        entry,
                        SubmissionEntries.READ,
                        (byte) 0,
                        wakeup.descriptor(),
                        0,
                        wakeup.buffer(),
                        8,
                        WAKEUP_USER_DATA);
                wakeup.setArmed();
            }
        }
    }

    /** Hands over what has arrived; what arrives meanwhile is left for the next call. */
    private int consume(CompletionConsumer consumer) {
        int count = 0;
        for (int left = ring.completionCount(); left > 0; left--) {
            long userData = ring.completionUserData();
            int result = ring.completionResult();
            ring.dropCompletion();
            if (userData >= 0) {
                int slot = (int) userData;
                long token = slots.token(slot);
                int early = slots.earlyError(slot);
                slots.free(slot);
                count++;
                consumer.accept(token, early != 0 ? early : result);
            } else if (userData == WAKEUP_USER_DATA) {
                wakeup.arrived();
            }
        }
        return count;
    }

    @Override
    public void wakeup() {
        wakeup.signal();
    }

    @Override
    public boolean register(LinuxFile file) {
        requireOpen();
        return resources.register(file);
    }

    @Override
    public void unregister(LinuxFile file) {
        requireOpen();
        resources.unregister(file);
    }

    @Override
    public boolean registerBuffers(MemorySegment... regions) {
        requireOpen();
        if (inFlight() > 0) {
            throw new IllegalStateException("operations are in flight");
        }
        return resources.registerBuffers(regions);
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        try {
            wakeup.signalAlways();
            while (inFlight() > 0 || wakeup.isArmed()) {
                ring.enter(ring.completionCount() > 0 ? 0 : 1, true, Long.MAX_VALUE);
                consume((token, result) -> {});
            }
        } catch (ErrnoException e) {
            throw new IllegalStateException("ring has failed with operations in flight", e);
        }
        closed = true;
        resources.close();
        ring.close();
        wakeup.close();
        OPEN.remove(this);
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("engine is closed");
        }
    }
}
