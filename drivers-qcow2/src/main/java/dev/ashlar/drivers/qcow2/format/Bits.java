package dev.ashlar.drivers.qcow2.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Big-endian fields of on-disk structures. Offsets are bytes from the start of the segment; any alignment. */
public final class Bits {
    private static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private Bits() {}

    public static int u16(MemorySegment segment, long offset) {
        return segment.get(U16, offset) & 0xffff;
    }

    public static long u32(MemorySegment segment, long offset) {
        return segment.get(U32, offset) & 0xffff_ffffL;
    }

    /** The 64 bits as they are; values from 2^63 come out negative. */
    public static long u64(MemorySegment segment, long offset) {
        return segment.get(U64, offset);
    }

    public static void putU16(MemorySegment segment, long offset, int value) {
        segment.set(U16, offset, (short) value);
    }

    public static void putU32(MemorySegment segment, long offset, long value) {
        segment.set(U32, offset, (int) value);
    }

    public static void putU64(MemorySegment segment, long offset, long value) {
        segment.set(U64, offset, value);
    }
}
