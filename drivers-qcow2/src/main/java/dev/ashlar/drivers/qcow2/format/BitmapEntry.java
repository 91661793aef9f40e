package dev.ashlar.drivers.qcow2.format;

import java.nio.charset.StandardCharsets;

/**
 * One entry of the bitmap directory.
 *
 * @param tableOffset host offset of the table that names the bitmap's clusters
 * @param tableEntries words in that table
 * @param flags see the constants
 * @param granularityBits bytes per bit as a power of two
 * @param extra data of other programs, kept as it is
 * @param rawName name in the bytes of the image
 */
@SuppressWarnings("ArrayRecordComponent")
public record BitmapEntry(
        long tableOffset, long tableEntries, int flags, int granularityBits, byte[] extra, byte[] rawName) {
    /** The bitmap was not stored since the image was written, so it can't be relied on. */
    public static final int IN_USE = 1;
    /** The bitmap records writes from the moment on when the image is opened. */
    public static final int AUTO = 2;
    /** The bitmap may be used by who does not know its extra data. */
    public static final int EXTRA_DATA_COMPATIBLE = 4;

    /** Flags that must be 0. */
    static final int RESERVED = ~(IN_USE | AUTO | EXTRA_DATA_COMPATIBLE);

    public static final int MIN_GRANULARITY_BITS = 9;
    public static final int MAX_GRANULARITY_BITS = 31;
    public static final int MAX_NAME_BYTES = 1023;
    public static final long MAX_TABLE_ENTRIES = 0x800_0000;

    /** Most bytes of bits, in whole clusters. */
    public static final long MAX_BITMAP_BYTES = 512L << 20;

    static final int HEAD_BYTES = 24;
    static final int TYPE_DIRTY_TRACKING = 1;

    public String name() {
        return new String(rawName, StandardCharsets.UTF_8);
    }

    public boolean isInUse() {
        return (flags & IN_USE) != 0;
    }

    public boolean isAuto() {
        return (flags & AUTO) != 0;
    }

    /** Whether the bits mean something to us: they were stored, and there is no foreign data that would go stale. */
    public boolean isUsable() {
        return !isInUse() && (extra.length == 0 || (flags & EXTRA_DATA_COMPATIBLE) != 0);
    }

    public long granularityBytes() {
        return 1L << granularityBits;
    }

    public BitmapEntry withFlags(int other) {
        return new BitmapEntry(tableOffset, tableEntries, other, granularityBits, extra, rawName);
    }

    /** Bytes in the directory, padding included. */
    public long encodedBytes() {
        return encodedBytes(extra.length, rawName.length);
    }

    public static long encodedBytes(long extraBytes, long nameBytes) {
        return (HEAD_BYTES + extraBytes + nameBytes + 7) & ~7L;
    }

    /** Bytes that the bits of a disk of that size take. */
    public static long bytesFor(long diskBytes, int granularityBits) {
        long bits = diskBytes == 0 ? 0 : (diskBytes - 1 >>> granularityBits) + 1;
        return (bits + 7) / 8;
    }
}
