/**
 * Dirty bitmaps: which parts of a node were written since a certain moment, for incremental backups. {@link
 * dev.ashlar.core.bitmap.NodeBitmaps} holds those of one node and is told of each write before the write is reported as done, so that
 * whoever clears a bit and then reads never misses a change: a write that comes too late for the reading sets the bit again.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.core.bitmap;
