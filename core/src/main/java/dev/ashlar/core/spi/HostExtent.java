package dev.ashlar.core.spi;

/**
 * A stretch of a host file.
 *
 * @param zero true for a hole: it reads as zeros without I/O
 * @param lengthBytes at least 1
 */
public record HostExtent(boolean zero, long lengthBytes) {}
