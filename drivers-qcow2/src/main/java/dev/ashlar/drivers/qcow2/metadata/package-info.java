/**
 * Tables between memory and disk: the store that reads them (mapped or cached), private buffers for what has changed, the layers that
 * translate guest offsets, and the write-back that puts changes on disk in the order the rules R1 to R10 demand.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.drivers.qcow2.metadata;
