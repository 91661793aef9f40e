/** Internal snapshots: of one node, found by id or name, whoever's driver keeps them. */
@org.jspecify.annotations.NullMarked
package dev.ashlar.core.snapshot;
