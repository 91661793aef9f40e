/**
 * The qcow2 format, versions 2 and 3: cluster mapping, allocation with copy-on-write, internal snapshots and checking.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.drivers.qcow2;
