package dev.ashlar.core.spi;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockLimits;
import java.util.Optional;

/** An open layer. Unless said otherwise methods may be called from any thread, also at the same time. */
public sealed interface DriverInstance permits ProtocolInstance, FormatInstance, FilterInstance {
    /** Constraints on the requests that this instance takes. Constant but for changes in a drained section. */
    BlockLimits limits();

    /** Virtual size in bytes; at least 0, not necessarily a multiple of 512. */
    long lengthBytes() throws BlockException;

    /**
     * Makes durable what had completed before the call. Formats order their metadata writes here and flush their
     * children themselves; protocols sync the file.
     */
    void flush() throws BlockException;

    /**
     * Ends the instance: writes what is left, in order, flushes, frees everything of its own. Children stay open. Called
     * once, on a drained node; the instance is unusable afterwards even if this throws.
     */
    void close() throws BlockException;

    /** The instance as a capability such as {@link SnapshotCapable}, where it has it. */
    default <T> Optional<T> capability(Class<T> type) {
        return type.isInstance(this) ? Optional.of(type.cast(this)) : Optional.empty();
    }

    /**
     * A drain began: stop what you start by yourself (timers, background write-back). Must neither wait nor change the
     * graph: requests, drains and changes are refused there with {@link IllegalStateException}. An instance that is opened while its node
     * is drained is told so at once.
     */
    default void drainBegin() {}

    /** The last drain ended; counterpart of {@link #drainBegin}, under the same rules. Not called after {@link #close}. */
    default void drainEnd() {}
}
