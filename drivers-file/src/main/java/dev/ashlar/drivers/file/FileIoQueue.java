package dev.ashlar.drivers.file;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.IoQueue;
import dev.ashlar.nativeio.CompletionConsumer;
import dev.ashlar.nativeio.Errno;
import dev.ashlar.nativeio.ErrnoException;
import dev.ashlar.nativeio.IoEngine;
import dev.ashlar.nativeio.IoEngines;
import dev.ashlar.nativeio.LinuxFile;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** A queue on one file, over whichever engine the kernel allows. */
final class FileIoQueue implements IoQueue {
    private final IoEngine engine;
    private final LinuxFile file;
    private final FlushState flushState;

    /** Where completions go while {@link #await} runs; kept in a field so that no call makes an adapter. */
    private @Nullable CompletionSink sink;

    private final CompletionConsumer toSink = this::complete;

    /** Tokens of the flushes in flight, since one that fails must spoil all later ones. */
    private final long[] flushTokens;

    private int flushCount;

    FileIoQueue(LinuxFile file, FlushState flushState, int capacity) {
        this.file = file;
        this.flushState = flushState;
        flushTokens = new long[capacity];
        engine = IoEngines.open(capacity);
        engine.register(file);
    }

    @Override
    public int capacity() {
        return engine.capacity();
    }

    @Override
    public int inFlight() {
        return engine.inFlight();
    }

    @Override
    public boolean read(long offset, MemorySegment destination, long token) {
        return engine.prepareRead(file, offset, destination, token);
    }

    @Override
    public boolean write(long offset, MemorySegment source, long token) {
        return engine.prepareWrite(file, offset, source, token);
    }

    @Override
    public boolean flush(long token) {
        boolean needsKernel = !flushState.isIgnored() && !flushState.hasFailed();
        boolean taken = needsKernel ? engine.prepareFdatasync(file, token) : engine.prepareNop(token);
        if (taken) {
            flushTokens[flushCount++] = token;
        }
        return taken;
    }

    @Override
    public int submit() throws BlockException {
        try {
            return engine.submit();
        } catch (ErrnoException e) {
            throw Failures.of(e);
        }
    }

    @Override
    public int await(int minimum, CompletionSink sink) throws BlockException {
        if (this.sink != null) {
            throw new IllegalStateException("await was called from a completion");
        }
        this.sink = sink;
        try {
            return minimum == 0 ? engine.await(0, toSink) : engine.awaitOrWakeup(minimum, Long.MAX_VALUE, toSink);
        } catch (ErrnoException e) {
            throw Failures.of(e);
        } finally {
            this.sink = null;
        }
    }

    private void complete(long token, int result) {
        int reported = flushCount > 0 && takeFlush(token) ? flushResult(result) : result;
        CompletionSink target = sink;
        if (target != null) {
            target.completed(token, reported);
        }
    }

    private boolean takeFlush(long token) {
        for (int i = 0; i < flushCount; i++) {
            if (flushTokens[i] == token) {
                flushTokens[i] = flushTokens[--flushCount];
                return true;
            }
        }
        return false;
    }

    private int flushResult(int result) {
        if (result < 0) {
            flushState.fail();
        }
        return flushState.hasFailed() ? -Errno.EIO : result;
    }

    @Override
    public void wakeup() {
        engine.wakeup();
    }

    @Override
    public void close() {
        engine.close();
    }
}
