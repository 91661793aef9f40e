package dev.ashlar.core.request;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.CompressionCapable;
import dev.ashlar.core.spi.CompressionCapable.CompressedPlan;
import java.lang.foreign.MemorySegment;

/** Carries out writes of compressed units: packed bytes of many units in as few writes as their places allow, then the tables. */
final class CompressedWrite {
    private CompressedWrite() {}

    /** Units that the driver could not make smaller are written as they are. The request serialises on all of them. */
    static void write(FormatLayer layer, CompressionCapable codec, long offset, EncodedUnits units)
            throws BlockException {
        long start = 0;
        int at = 0;
        while (at < units.count()) {
            int end = at + 1;
            while (end < units.count() && units.isCompressed(end) == units.isCompressed(at)) {
                end++;
            }
            if (units.isCompressed(at)) {
                start = writeEncoded(codec, offset, units, at, end, start);
            } else {
                PlannedWrite.write(layer, offset + units.guestDistance(at), units.guest(at, end));
            }
            at = end;
        }
    }

    /** @return where the compressed bytes of the next units start in the buffer */
    private static long writeEncoded(
            CompressionCapable codec, long offset, EncodedUnits units, int from, int to, long start)
            throws BlockException {
        int at = from;
        long position = start;
        while (at < to) {
            CompressedPlan plan = codec.planCompressed(offset + units.guestDistance(at), units.sizes(), at, to);
            boolean written = false;
            int covered;
            try {
                covered = Math.toIntExact(FormatLayer.checkCovered(plan.units(), to - at));
                position = moveBytes(plan, units, at, covered, position);
                written = true;
            } finally {
                if (!written) {
                    plan.abort();
                }
            }
            plan.commit();
            at += covered;
        }
        return position;
    }

    private static long moveBytes(CompressedPlan plan, EncodedUnits units, int first, int count, long start)
            throws BlockException {
        long position = start;
        int at = 0;
        while (at < count) {
            long end = plan.hostOffset(at);
            int next = at;
            while (next < count && plan.hostOffset(next) == end) {
                end += units.sizes()[first + next];
                next++;
            }
            MemorySegment bytes = units.encoded(position, first + at, first + next);
            plan.child().write(plan.hostOffset(at), bytes);
            position += bytes.byteSize();
            at = next;
        }
        return position;
    }

    /** @throws BlockException INVALID unless the range is of whole units, the last of which may be the shorter one of the disk */
    static void requireUnits(long offset, long lengthBytes, long unitBytes, long diskBytes) throws BlockException {
        boolean wholeEnd = lengthBytes % unitBytes == 0 || offset + lengthBytes == diskBytes;
        if (offset % unitBytes != 0 || !wholeEnd) {
            throw new BlockException(
                    Kind.INVALID, "A compressed write must be of whole clusters of " + unitBytes + " bytes");
        }
    }
}
