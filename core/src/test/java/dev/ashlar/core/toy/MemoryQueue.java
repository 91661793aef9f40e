package dev.ashlar.core.toy;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.IoQueue;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.concurrent.Semaphore;

/** A ring that does its work, one operation after the other, when completions are awaited. Blocks like a real one. */
final class MemoryQueue implements IoQueue {
    private record Operation(boolean write, long offset, MemorySegment buffer, long token) {}

    private final MemoryDriver.Instance file;
    private final int capacity;
    private final ArrayDeque<Operation> taken = new ArrayDeque<>();
    private final Semaphore wakeups = new Semaphore(0);

    MemoryQueue(MemoryDriver.Instance file, int capacity) {
        this.file = file;
        this.capacity = capacity;
    }

    @Override
    public int capacity() {
        return capacity;
    }

    @Override
    public int inFlight() {
        return taken.size();
    }

    @Override
    public boolean read(long offset, MemorySegment destination, long token) {
        return taken.size() < capacity && taken.add(new Operation(false, offset, destination, token));
    }

    @Override
    public boolean write(long offset, MemorySegment source, long token) {
        return taken.size() < capacity && taken.add(new Operation(true, offset, source, token));
    }

    @Override
    public boolean flush(long token) {
        throw new UnsupportedOperationException();
    }

    @Override
    public int submit() {
        return taken.size();
    }

    @Override
    public int await(int minimum, CompletionSink sink) {
        int done = 0;
        while (!taken.isEmpty() && !wakeups.tryAcquire()) {
            Operation operation = taken.remove();
            int result = (int) operation.buffer().byteSize();
            try {
                if (operation.write()) {
                    file.write(operation.offset(), operation.buffer());
                } else {
                    file.read(operation.offset(), operation.buffer());
                    result = (int) Math.max(0, Math.min(result, file.lengthBytes() - operation.offset()));
                }
            } catch (BlockException e) {
                result = -5;
            }
            done++;
            sink.completed(operation.token(), result);
        }
        if (done == 0 && minimum > 0 && taken.isEmpty()) {
            wakeups.acquireUninterruptibly();
        }
        wakeups.drainPermits();
        return done;
    }

    @Override
    public void wakeup() {
        wakeups.release();
    }

    @Override
    public void close() {
        taken.clear();
    }
}
