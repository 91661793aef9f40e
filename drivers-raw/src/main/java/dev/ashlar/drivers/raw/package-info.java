/**
 * The raw format: the bytes of the child as they are, or a window of them.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.drivers.raw;
