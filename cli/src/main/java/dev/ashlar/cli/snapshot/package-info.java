/**
 * Subcommands that only {@code ashlar} has: the graph of a disk's layers, the difference of two snapshots, and snapshots of several disks
 * at once.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.cli.snapshot;
