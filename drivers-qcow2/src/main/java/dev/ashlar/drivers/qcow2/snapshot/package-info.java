/**
 * Internal snapshots: created, applied and deleted in the order that keeps each of them all-or-nothing across a power cut.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.drivers.qcow2.snapshot;
