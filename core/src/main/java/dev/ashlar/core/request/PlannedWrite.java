package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.spi.BlockEvent;
import dev.ashlar.core.spi.ChildAccess;
import dev.ashlar.core.spi.FormatInstance;
import dev.ashlar.core.spi.WritePlan;
import java.lang.foreign.MemorySegment;

/**
 * Carries out {@linkplain WritePlan write plans}: guest bytes and copied edges first, then the tables. The request serialises on whole
 * allocation units, so nobody else sees or changes them meanwhile.
 */
final class PlannedWrite {
    /** Up to this size guest bytes and edges go out as one write, from one buffer. */
    private static final long MERGE_BYTES = 2 << 20;

    /** Host offset at which a separately written edge ends, so that what follows stays aligned. */
    private static final long EDGE_ALIGNMENT_BYTES = BufferPool.ALIGNMENT_BYTES;

    private PlannedWrite() {}

    static void write(FormatLayer layer, long offset, MemorySegment source) throws BlockException {
        FormatInstance format = layer.instance();
        long total = source.byteSize();
        long done = 0;
        while (done < total) {
            long at = offset + done;
            WritePlan plan = format.planWrite(at, total - done);
            boolean written = false;
            long covered;
            try {
                covered = FormatLayer.checkCovered(plan.lengthBytes(), total - done);
                carryOut(layer, plan, at, source.asSlice(done, covered));
                written = true;
            } finally {
                if (!written) {
                    plan.abort();
                }
            }
            plan.commit();
            done += covered;
        }
    }

    /** Zeros the front of the range as data in new or present space. @return bytes done */
    static long zero(FormatLayer layer, long offset, long lengthBytes, boolean mayUnmap) throws BlockException {
        WritePlan plan = layer.instance().planWrite(offset, lengthBytes);
        boolean written = false;
        long covered;
        try {
            covered = FormatLayer.checkCovered(plan.lengthBytes(), lengthBytes);
            copyBefore(layer, plan, offset, Zeros.of(0));
            plan.child().writeZeroes(plan.hostOffset(), covered, mayUnmap);
            copyAfter(layer, plan, offset + covered, Zeros.of(0));
            written = true;
        } finally {
            if (!written) {
                plan.abort();
            }
        }
        plan.commit();
        return covered;
    }

    private static void carryOut(FormatLayer layer, WritePlan plan, long offset, MemorySegment guest)
            throws BlockException {
        long before = plan.copyBeforeBytes();
        long after = plan.copyAfterBytes();
        long length = guest.byteSize();
        if (before == 0 && after == 0) {
            plan.child().write(plan.hostOffset(), guest);
        } else if (before + length + after <= MERGE_BYTES) {
            writeMerged(layer, plan, offset, guest);
        } else {
            long host = plan.hostOffset();
            // The guest bytes next to an edge go with it, up to a boundary, so that the long middle needs no padding.
            long head = before == 0 ? 0 : Math.min(length, Alignment.up(host, EDGE_ALIGNMENT_BYTES) - host);
            long end = host + length;
            long tail = after == 0 ? 0 : Math.min(length - head, end - Alignment.down(end, EDGE_ALIGNMENT_BYTES));
            copyBefore(layer, plan, offset, guest.asSlice(0, head));
            plan.child().write(host + head, guest.asSlice(head, length - head - tail));
            copyAfter(layer, plan, offset + length, guest.asSlice(length - tail, tail));
        }
    }

    private static void writeMerged(FormatLayer layer, WritePlan plan, long offset, MemorySegment guest)
            throws BlockException {
        long before = plan.copyBeforeBytes();
        long after = plan.copyAfterBytes();
        long length = guest.byteSize();
        MemorySegment buffer = BufferPool.acquire(before + length + after);
        try {
            plan.child().event(BlockEvent.COW_READ);
            if (before > 0) {
                layer.readUntracked(offset - before, buffer.asSlice(0, before));
            }
            MemorySegment.copy(guest, 0, buffer, before, length);
            if (after > 0) {
                layer.readUntracked(offset + length, buffer.asSlice(before + length, after));
            }
            plan.child().write(plan.hostOffset() - before, buffer.asSlice(0, before + length + after));
        } finally {
            BufferPool.release(buffer);
        }
    }

    /** Writes the copied bytes before {@code offset} and, behind them, the guest's first bytes. */
    private static void copyBefore(FormatLayer layer, WritePlan plan, long offset, MemorySegment guest)
            throws BlockException {
        long before = plan.copyBeforeBytes();
        if (before > 0) {
            copyEdge(layer, offset - before, before, guest, true, plan.child(), plan.hostOffset() - before);
        }
    }

    /** Writes the guest's last bytes and, behind them, the copied bytes from {@code end} on. */
    private static void copyAfter(FormatLayer layer, WritePlan plan, long end, MemorySegment guest)
            throws BlockException {
        long after = plan.copyAfterBytes();
        if (after > 0) {
            long host = plan.hostOffset() + plan.lengthBytes() - guest.byteSize();
            copyEdge(layer, end, after, guest, false, plan.child(), host);
        }
    }

    private static void copyEdge(
            FormatLayer layer,
            long edgeOffset,
            long edgeLength,
            MemorySegment guest,
            boolean edgeFirst,
            ChildAccess child,
            long host)
            throws BlockException {
        long total = edgeLength + guest.byteSize();
        MemorySegment buffer = BufferPool.acquire(total);
        try {
            long edgeAt = edgeFirst ? 0 : guest.byteSize();
            child.event(BlockEvent.COW_READ);
            layer.readUntracked(edgeOffset, buffer.asSlice(edgeAt, edgeLength));
            MemorySegment.copy(guest, 0, buffer, edgeFirst ? edgeLength : 0, guest.byteSize());
            child.event(BlockEvent.COW_WRITE);
            child.write(host, buffer.asSlice(0, total));
        } finally {
            BufferPool.release(buffer);
        }
    }
}
