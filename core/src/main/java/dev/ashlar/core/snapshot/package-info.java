/** Internal snapshots: of one node, found by id or name, whoever's driver keeps them; of groups of disks, all or nothing; how layers differ and what each takes. */
@org.jspecify.annotations.NullMarked
package dev.ashlar.core.snapshot;
