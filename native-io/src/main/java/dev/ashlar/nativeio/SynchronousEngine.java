package dev.ashlar.nativeio;

import dev.ashlar.nativeio.syscall.Platform;
import dev.ashlar.nativeio.syscall.SystemCall;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Objects;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The engine without kernel support: {@link #submit} makes the calls one after another on the
 * owner's thread.
 */
final class SynchronousEngine implements IoEngine {
    private static final int NO_CALL = -1;

    /** One operation, reused: a system call on a file, its first argument. */
    private static final class Operation {
        int number;

        @Nullable
        LinuxFile file;

        MemorySegment second = MemorySegment.NULL;
        long secondOffset;
        long third;
        long fourth;

        /** Keeps the memory of a vectored transfer reachable. */
        @Nullable
        IoVector vector;

        long token;
        int result;
        boolean cancelled;
    }

    private final Operation[] operations;
    private final Semaphore wakeups = new Semaphore(0);

    /*
     * The operations form a circle: [consumed, executed) have results, [executed, prepared) are still
     * to run, the rest is free. The counters only grow.
     */
    private long consumed;
    private long executed;
    private long prepared;
    private boolean closed;

    SynchronousEngine(int capacity) {
        operations = new Operation[capacity];
        for (int i = 0; i < capacity; i++) {
            operations[i] = new Operation();
        }
    }

    @Override
    public int capacity() {
        return operations.length;
    }

    @Override
    public int inFlight() {
        return (int) (prepared - consumed);
    }

    @Override
    public boolean isAsynchronous() {
        return false;
    }

    @Override
    public boolean prepareRead(
            LinuxFile file, long fileOffset, MemorySegment buffer, long bufferOffset, int lengthBytes, long token) {
        Buffers.requireReadTarget(buffer);
        return prepareTransfer(Platform.PREAD64, file, fileOffset, buffer, bufferOffset, lengthBytes, token);
    }

    @Override
    public boolean prepareWrite(
            LinuxFile file, long fileOffset, MemorySegment buffer, long bufferOffset, int lengthBytes, long token) {
        Buffers.requireNative(buffer);
        return prepareTransfer(Platform.PWRITE64, file, fileOffset, buffer, bufferOffset, lengthBytes, token);
    }

    private boolean prepareTransfer(
            int number,
            LinuxFile file,
            long fileOffset,
            MemorySegment buffer,
            long bufferOffset,
            int lengthBytes,
            long token) {
        Objects.checkFromIndexSize(bufferOffset, lengthBytes, buffer.byteSize());
        Buffers.requireAlive(buffer);
        Operation operation = next(number, file, token);
        if (operation == null) {
            return false;
        }
        operation.second = buffer;
        operation.secondOffset = bufferOffset;
        operation.third = lengthBytes;
        operation.fourth = fileOffset;
        return true;
    }

    @Override
    public boolean prepareReadv(LinuxFile file, long fileOffset, IoVector vector, long token) {
        vector.requireWritable();
        return prepareVector(Platform.PREADV, file, fileOffset, vector, token);
    }

    @Override
    public boolean prepareWritev(LinuxFile file, long fileOffset, IoVector vector, long token) {
        return prepareVector(Platform.PWRITEV, file, fileOffset, vector, token);
    }

    private boolean prepareVector(int number, LinuxFile file, long fileOffset, IoVector vector, long token) {
        Operation operation = next(number, file, token);
        if (operation == null) {
            return false;
        }
        operation.second = vector.entries();
        operation.third = vector.count();
        operation.fourth = fileOffset;
        operation.vector = vector;
        return true;
    }

    @Override
    public boolean prepareFdatasync(LinuxFile file, long token) {
        return next(Platform.FDATASYNC, file, token) != null;
    }

    @Override
    public boolean prepareFsync(LinuxFile file, long token) {
        return next(Platform.FSYNC, file, token) != null;
    }

    @Override
    public boolean prepareFallocate(LinuxFile file, FallocateMode mode, long fileOffset, long lengthBytes, long token) {
        Operation operation = next(Platform.FALLOCATE, file, token);
        if (operation == null) {
            return false;
        }
        operation.second = MemorySegment.ofAddress(mode.bits());
        operation.third = fileOffset;
        operation.fourth = lengthBytes;
        return true;
    }

    @Override
    public boolean prepareNop(long token) {
        return next(NO_CALL, null, token) != null;
    }

    private @Nullable Operation next(int number, @Nullable LinuxFile file, long token) {
        if (closed) {
            throw new IllegalStateException("engine is closed");
        }
        if (inFlight() == operations.length) {
            return null;
        }
        Operation operation = at(prepared++);
        operation.number = number;
        operation.file = file != null && file.acquire() ? file : null;
        operation.token = token;
        operation.result = 0;
        operation.cancelled = false;
        return operation;
    }

    private Operation at(long index) {
        return operations[(int) (index % operations.length)];
    }

    @Override
    public boolean cancel(long token) {
        for (long i = consumed; i < prepared; i++) {
            if (at(i).token == token) {
                at(i).cancelled = true;
                return true;
            }
        }
        return false;
    }

    @Override
    public int submit() {
        int count = (int) (prepared - executed);
        while (executed < prepared) {
            Operation operation = at(executed++);
            operation.result = operation.cancelled ? -Errno.ECANCELED : execute(operation);
            if (operation.file != null) {
                operation.file.release();
                operation.file = null;
            }
            operation.second = MemorySegment.NULL;
            operation.secondOffset = 0;
            operation.vector = null;
        }
        return count;
    }

    private static int execute(Operation operation) {
        if (operation.number == NO_CALL) {
            return 0;
        }
        if (operation.file == null) {
            return -Errno.EBADF;
        }
        MemorySegment second =
                operation.secondOffset == 0 ? operation.second : operation.second.asSlice(operation.secondOffset);
        try {
            return (int) SystemCall.restarting(
                    operation.number, operation.file.descriptor(), second, operation.third, operation.fourth, 0);
        } finally {
            Reference.reachabilityFence(operation.vector);
        }
    }

    @Override
    public int poll(CompletionConsumer consumer) {
        // What the consumer prepares and submits meanwhile is left to the next call.
        long end = executed;
        int count = 0;
        while (consumed < end) {
            Operation operation = at(consumed++);
            count++;
            consumer.accept(operation.token, operation.result);
        }
        return count;
    }

    @Override
    public int await(int minCompletions, CompletionConsumer consumer) {
        int target = Math.min(minCompletions, inFlight());
        int count = 0;
        do {
            submit();
            count += poll(consumer);
        } while (count < target);
        return count;
    }

    @Override
    public int awaitOrWakeup(int minCompletions, long timeoutNanos, CompletionConsumer consumer) {
        boolean nothingToDo = inFlight() == 0;
        int count = await(minCompletions, consumer);
        if (nothingToDo && minCompletions > 0) {
            waitForWakeup(timeoutNanos);
        } else {
            wakeups.drainPermits();
        }
        return count;
    }

    /** An interrupt does not end the wait, as it would not end one for the kernel. */
    private void waitForWakeup(long timeoutNanos) {
        long deadlineNanos = System.nanoTime() + timeoutNanos;
        boolean interrupted = false;
        long leftNanos = timeoutNanos;
        while (true) {
            try {
                if (wakeups.tryAcquire(leftNanos, TimeUnit.NANOSECONDS)) {
                    wakeups.drainPermits();
                }
                break;
            } catch (InterruptedException e) {
                interrupted = true;
                if (timeoutNanos != Long.MAX_VALUE) {
                    leftNanos = deadlineNanos - System.nanoTime();
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void wakeup() {
        if (wakeups.availablePermits() == 0) {
            wakeups.release();
        }
    }

    @Override
    public boolean register(LinuxFile file) {
        return false;
    }

    @Override
    public void unregister(LinuxFile file) {
        // Nothing is ever registered.
    }

    @Override
    public boolean registerBuffers(MemorySegment... regions) {
        return false;
    }

    @Override
    public void close() {
        if (!closed) {
            submit();
            consumed = executed;
            closed = true;
        }
    }
}
