package dev.ashlar.core.spi;

import java.util.OptionalLong;

/**
 * How large the file of a new image gets. All numbers are unsigned: a size that was rounded up may exceed 2^63 - 1.
 *
 * @param requiredBytes with the content that was measured
 * @param fullyAllocatedBytes with every cluster of the disk written
 * @param bitmapsBytes what the persistent bitmaps of the source take in addition; empty unless source and image can both keep bitmaps
 */
public record MeasuredSize(long requiredBytes, long fullyAllocatedBytes, OptionalLong bitmapsBytes) {}
