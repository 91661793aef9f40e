/**
 * Refcounts and the allocation of host clusters. A cluster is counted before anything refers to it, and free only after nothing durably does.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.drivers.qcow2.alloc;
