package dev.ashlar.cli.img;

import dev.ashlar.core.BlockBackend;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockQueue;
import dev.ashlar.core.spi.IoQueue;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Keeps a number of requests in flight until all are done. */
final class BenchLoad implements IoQueue.CompletionSink {
    private static final long FLUSH_TOKEN = -1;

    /**
     * @param flushInterval requests between two flushes, 0 for none
     * @param drainOnFlush let all requests end before a flush is sent
     * @param writethrough each write is followed by a flush
     */
    record Shape(
            int count,
            int depth,
            long offset,
            int bufferBytes,
            int stepBytes,
            byte pattern,
            boolean write,
            int flushInterval,
            boolean drainOnFlush,
            boolean writethrough) {}

    private final BlockBackend image;
    private final Shape shape;
    private final MemorySegment[] buffers;
    private final int[] freeBuffers;
    private int freeCount;
    private int remaining;
    private int inFlight;
    private int flushesInFlight;
    private int flushesDue;
    private boolean draining;
    private long nextOffset;
    private int failed;

    BenchLoad(BlockBackend image, Shape shape) {
        this.image = image;
        this.shape = shape;
        remaining = shape.count();
        nextOffset = shape.offset();
        int used = Math.min(shape.depth(), Math.max(1, shape.count()));
        buffers = new MemorySegment[used];
        freeBuffers = new int[used];
        for (int i = 0; i < used; i++) {
            buffers[i] = Arena.ofAuto()
                    .allocate(Math.max(1, shape.bufferBytes()), 4096)
                    .asSlice(0, shape.bufferBytes());
            buffers[i].fill(shape.pattern());
            freeBuffers[freeCount++] = i;
        }
    }

    void run() throws BlockException {
        try (BlockQueue queue = image.openQueue(Math.min(shape.depth() + 2, 4096))) {
            while (remaining > 0 || flushesInFlight > 0 || flushesDue > 0) {
                fill(queue);
                if (inFlight == 0 && flushesInFlight == 0) {
                    throw new BlockException(Kind.IO, "Failed to issue request");
                }
                queue.await(1, this);
                if (failed < 0) {
                    throw failure();
                }
            }
        }
    }

    private void fill(BlockQueue queue) throws BlockException {
        while (flushesDue > 0 && queue.flush(FLUSH_TOKEN)) {
            flushesDue--;
            flushesInFlight++;
        }
        while (!draining && remaining > inFlight && inFlight < shape.depth() && freeCount > 0) {
            int buffer = freeBuffers[freeCount - 1];
            boolean taken = shape.write()
                    ? queue.write(nextOffset, buffers[buffer], buffer)
                    : queue.read(nextOffset, buffers[buffer], buffer);
            if (!taken) {
                break;
            }
            freeCount--;
            inFlight++;
            nextOffset = (nextOffset + shape.stepBytes()) % image.lengthBytes();
        }
        queue.submit();
    }

    @Override
    public void completed(long token, int result) {
        if (result < 0) {
            failed = result;
        }
        if (token == FLUSH_TOKEN) {
            flushesInFlight--;
            if (inFlight == 0) {
                draining = false;
            }
            return;
        }
        freeBuffers[freeCount++] = (int) token;
        int notStarted = remaining - inFlight;
        remaining--;
        inFlight--;
        if (shape.writethrough() && shape.write()) {
            flushesDue++;
        }
        if (shape.flushInterval() != 0 && notStarted % shape.flushInterval() == 0) {
            draining = shape.drainOnFlush();
            if (inFlight == 0 || !draining) {
                flushesDue++;
            }
        }
    }

    private BlockException failure() {
        Kind kind = switch (-failed) {
            case 28 -> Kind.NO_SPACE;
            case 1, 13 -> Kind.PERMISSION;
            case 22 -> Kind.INVALID;
            case 95 -> Kind.UNSUPPORTED;
            default -> Kind.IO;
        };
        return new BlockException(kind, "Failed request: " + kind.reason());
    }
}
