package dev.ashlar.core.request;

/**
 * How a node was opened, as far as requests care.
 *
 * @param readOnly writes are refused
 * @param ignoreFlush flushes do not reach the host ({@code cache=unsafe})
 * @param unmap discards of users are carried out; otherwise they succeed and do nothing
 * @param detection what becomes of writes that contain nothing but zeros
 */
public record LayerMode(boolean readOnly, boolean ignoreFlush, boolean unmap, ZeroDetection detection) {
    /** Writes are taken as they are. */
    public LayerMode(boolean readOnly, boolean ignoreFlush, boolean unmap) {
        this(readOnly, ignoreFlush, unmap, ZeroDetection.OFF);
    }
}
