/**
 * The protocol driver at the bottom of a node graph: regular files and block devices, with direct or buffered I/O,
 * locks, holes and discard.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.drivers.file;
