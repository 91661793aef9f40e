/**
 * Pure codecs of the qcow2 format over memory segments: header, table words, refcount widths, snapshot table, and {@link
 * dev.ashlar.drivers.qcow2.format.ClusterGeometry}, which owns all shift arithmetic. Nothing here does I/O.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.drivers.qcow2.format;
