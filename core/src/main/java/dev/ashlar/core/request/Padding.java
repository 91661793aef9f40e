package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.BlockEvent;
import java.lang.foreign.MemorySegment;

/** Requests that do not start or end on a boundary that the driver can take: read more, or read, change and write. */
final class Padding {
    private Padding() {}

    /** Reads any range through aligned pieces. */
    static void read(Layer layer, long offset, MemorySegment destination) throws BlockException {
        long alignment = layer.limits().requestAlignmentBytes();
        long end = offset + destination.byteSize();
        long from = Alignment.down(offset, alignment);
        long to = Alignment.up(end, alignment);
        long piece = Alignment.up(BufferPool.PIECE_BYTES, alignment);
        MemorySegment buffer = BufferPool.acquire(Math.min(piece, to - from));
        try {
            for (long at = from; at < to; at += piece) {
                long length = Math.min(piece, to - at);
                layer.readAligned(at, buffer.asSlice(0, length));
                long first = Math.max(at, offset);
                long last = Math.min(at + length, end);
                MemorySegment.copy(buffer, first - at, destination, first - offset, last - first);
            }
        } finally {
            BufferPool.release(buffer);
        }
    }

    /** Writes any range through aligned pieces; the request serialises on the aligned range. */
    static void write(Layer layer, long offset, MemorySegment source) throws BlockException {
        long alignment = layer.limits().requestAlignmentBytes();
        long end = offset + source.byteSize();
        long from = Alignment.down(offset, alignment);
        long to = Alignment.up(end, alignment);
        long piece = Alignment.up(BufferPool.PIECE_BYTES, alignment);
        MemorySegment buffer = BufferPool.acquire(Math.min(piece, to - from));
        try {
            for (long at = from; at < to; at += piece) {
                long length = Math.min(piece, to - at);
                long first = Math.max(at, offset);
                long last = Math.min(at + length, end);
                readEdges(layer, buffer, at, length, first, last);
                MemorySegment.copy(source, first - offset, buffer, first - at, last - first);
                layer.writeSerialised(at, buffer.asSlice(0, length));
            }
        } finally {
            BufferPool.release(buffer);
        }
    }

    /** Reads the blocks of a piece that the bytes from first to last cover in part. */
    private static void readEdges(Layer layer, MemorySegment buffer, long at, long length, long first, long last)
            throws BlockException {
        long alignment = layer.limits().requestAlignmentBytes();
        boolean head = first != at;
        boolean tail = last != at + length;
        if (head) {
            layer.event(BlockEvent.PWRITEV_RMW_HEAD, Origin.PARENT);
            layer.readAligned(at, buffer.asSlice(0, alignment));
            layer.event(BlockEvent.PWRITEV_RMW_AFTER_HEAD, Origin.PARENT);
        }
        if (tail && !(head && length == alignment)) {
            layer.event(BlockEvent.PWRITEV_RMW_TAIL, Origin.PARENT);
            layer.readAligned(at + length - alignment, buffer.asSlice(length - alignment, alignment));
            layer.event(BlockEvent.PWRITEV_RMW_AFTER_TAIL, Origin.PARENT);
        }
    }
}
