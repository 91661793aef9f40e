/**
 * What a driver implements and what it is given. A format answers <em>where</em> bytes live and core does the I/O; a protocol does
 * I/O on the host; a filter passes on. Drivers are found by {@link java.util.ServiceLoader} and know nothing of each other.
 */
@org.jspecify.annotations.NullMarked
package dev.ashlar.core.spi;
