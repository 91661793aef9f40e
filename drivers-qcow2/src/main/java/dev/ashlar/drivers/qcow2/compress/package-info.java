/** Compressed clusters as bytes: reading and decompressing one, compressing one. Where they lie is the business of the tables and of the allocator. */
@org.jspecify.annotations.NullMarked
package dev.ashlar.drivers.qcow2.compress;
