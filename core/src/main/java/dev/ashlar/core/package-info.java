/**
 * The block layer for its users: the graph of nodes and edges, backends to read and write through, drained sections, errors.
 * Drivers plug in through {@link dev.ashlar.core.spi}; snapshots live in {@link dev.ashlar.core.snapshot}.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.core;
