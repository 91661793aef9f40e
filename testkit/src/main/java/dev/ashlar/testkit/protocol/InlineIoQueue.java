package dev.ashlar.testkit.protocol;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.IoQueue;
import dev.ashlar.core.spi.ProtocolInstance;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;

/**
 * A queue that executes its operations with the blocking calls of a protocol, in an order drawn from a seed, when they are
 * awaited: completions come out of order, as from a real disk, but every run of a seed is the same.
 */
public final class InlineIoQueue implements IoQueue {
    @FunctionalInterface
    private interface Action {
        int run() throws BlockException;
    }

    private record Operation(long token, Action action) {}

    private final ProtocolInstance protocol;
    private final int capacity;
    private final Random random;
    private final List<Operation> taken = new ArrayList<>();
    private final List<Operation> submitted = new ArrayList<>();

    public InlineIoQueue(ProtocolInstance protocol, int capacity, long seed) {
        this.protocol = Objects.requireNonNull(protocol, "protocol");
        this.capacity = capacity;
        this.random = new Random(seed);
    }

    @Override
    public int capacity() {
        return capacity;
    }

    @Override
    public int inFlight() {
        return taken.size() + submitted.size();
    }

    @Override
    public boolean read(long offset, MemorySegment destination, long token) {
        return take(token, () -> {
            protocol.read(offset, destination);
            return (int) destination.byteSize();
        });
    }

    @Override
    public boolean write(long offset, MemorySegment source, long token) {
        return take(token, () -> {
            protocol.write(offset, source);
            return (int) source.byteSize();
        });
    }

    @Override
    public boolean flush(long token) {
        return take(token, () -> {
            protocol.flush();
            return 0;
        });
    }

    private boolean take(long token, Action action) {
        return inFlight() < capacity && taken.add(new Operation(token, action));
    }

    @Override
    public int submit() {
        int count = taken.size();
        submitted.addAll(taken);
        taken.clear();
        return count;
    }

    @Override
    public int await(int minimum, CompletionSink sink) {
        submit();
        int available = submitted.size();
        int wanted = available == 0 ? 0 : Math.min(available, Math.max(minimum, random.nextInt(available) + 1));
        for (int done = 0; done < wanted; done++) {
            Operation operation = submitted.remove(random.nextInt(submitted.size()));
            sink.completed(operation.token(), execute(operation));
        }
        return wanted;
    }

    private static int execute(Operation operation) {
        try {
            return operation.action().run();
        } catch (BlockException e) {
            return -errno(e.kind());
        }
    }

    /** The Linux errno value that stands for a kind. */
    public static int errno(BlockException.Kind kind) {
        return switch (kind) {
            case IO, OUT_OF_BOUNDS -> 5;
            case NO_SPACE -> 28;
            case TOO_LARGE -> 27;
            case CORRUPT, INVALID -> 22;
            case UNSUPPORTED -> 95;
            case PERMISSION -> 13;
            case READ_ONLY -> 30;
            case LOCKED -> 11;
            case NO_MEDIUM -> 123;
            case NOT_FOUND -> 2;
            case EXISTS -> 17;
            case BUSY -> 16;
            case CLOSED -> 9;
        };
    }

    /** Nothing here waits, so there is nobody to wake. */
    @Override
    public void wakeup() {}

    @Override
    public void close() {
        submit();
        submitted.forEach(InlineIoQueue::execute);
        submitted.clear();
    }
}
