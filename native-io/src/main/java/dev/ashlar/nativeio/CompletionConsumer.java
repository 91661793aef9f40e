package dev.ashlar.nativeio;

/** Receives the completions of an {@link IoEngine}. */
@FunctionalInterface
public interface CompletionConsumer {
    /**
     * Called once per operation, on the engine's owner, after the operation has given back its buffer
     * and its place in the queue: new operations may be prepared from here, but not awaited.
     *
     * @param token what the operation was prepared with
     * @param result bytes transferred, 0 for operations that transfer nothing, or a negative {@link
     *     Errno}
     */
    void accept(long token, int result);
}
