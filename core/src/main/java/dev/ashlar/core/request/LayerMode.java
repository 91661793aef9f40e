package dev.ashlar.core.request;

/**
 * How a node was opened, as far as requests care.
 *
 * @param readOnly writes are refused
 * @param ignoreFlush flushes do not reach the host ({@code cache=unsafe})
 * @param unmap discards of users are carried out; otherwise they succeed and do nothing
 */
public record LayerMode(boolean readOnly, boolean ignoreFlush, boolean unmap) {}
