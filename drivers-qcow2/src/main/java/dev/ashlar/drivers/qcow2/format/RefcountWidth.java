package dev.ashlar.drivers.qcow2.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Reads and writes refcounts of 1 to 64 bits in a refcount block. Widths under a byte are packed from the least significant
 * bit up; wider ones are big-endian. Source: qcow2 specification, "Host cluster management".
 */
public final class RefcountWidth {
    private RefcountWidth() {}

    public static long get(MemorySegment block, long blockOffset, int order, int index) {
        return switch (order) {
            case 4 -> Bits.u16(block, blockOffset + 2L * index);
            case 3 -> block.get(ValueLayout.JAVA_BYTE, blockOffset + index) & 0xffL;
            case 5 -> Bits.u32(block, blockOffset + 4L * index);
            case 6 -> Bits.u64(block, blockOffset + 8L * index);
            default -> {
                int perByteBits = 3 - order;
                int shift = (index & ((1 << perByteBits) - 1)) << order;
                int mask = (1 << (1 << order)) - 1;
                yield (block.get(ValueLayout.JAVA_BYTE, blockOffset + (index >>> perByteBits)) >>> shift) & mask;
            }
        };
    }

    /**
     * As {@link #get}, from the eight aligned bytes of the block in which the refcount lies.
     *
     * @param word big-endian, at byte {@link #wordByte} of the block
     */
    public static long fromWord(long word, int order, int index) {
        if (order == 6) {
            return word;
        }
        int bits = 1 << order;
        int inWord = index & ((64 >>> order) - 1);
        int shift;
        if (order >= 3) {
            shift = 64 - bits * (inWord + 1);
        } else {
            int perByte = 8 >>> order;
            shift = 56 - 8 * (inWord / perByte) + bits * (inWord & (perByte - 1));
        }
        return (word >>> shift) & ((1L << bits) - 1);
    }

    /** First of the eight aligned bytes of a block in which a refcount lies. */
    public static int wordByte(int order, int index) {
        return firstByte(order, index) & -8;
    }

    /** @param value must fit the width */
    public static void set(MemorySegment block, int order, int index, long value) {
        switch (order) {
            case 4 -> Bits.putU16(block, 2L * index, (int) value);
            case 3 -> block.set(ValueLayout.JAVA_BYTE, index, (byte) value);
            case 5 -> Bits.putU32(block, 4L * index, value);
            case 6 -> Bits.putU64(block, 8L * index, value);
            default -> {
                int perByteBits = 3 - order;
                int at = index >>> perByteBits;
                int shift = (index & ((1 << perByteBits) - 1)) << order;
                int mask = ((1 << (1 << order)) - 1) << shift;
                byte old = block.get(ValueLayout.JAVA_BYTE, at);
                block.set(ValueLayout.JAVA_BYTE, at, (byte) ((old & ~mask) | ((int) value << shift)));
            }
        }
    }

    /** The byte of a block in which refcount {@code from} begins. */
    public static int firstByte(int order, int from) {
        return (int) (((long) from << order) >>> 3);
    }

    /** Byte behind the refcount before {@code to}. */
    public static int endByte(int order, int to) {
        return (int) ((((long) to << order) + 7) >>> 3);
    }
}
