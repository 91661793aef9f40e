package dev.ashlar.nativeio;

/** Which threads may use an {@link IoEngine}, one at a time in any case. */
public enum EngineOwnership {
    /** Any thread; the hand-over from one to the next must synchronise them. */
    MOVABLE,
    /**
     * The platform thread that first submits, for the engine's whole life. Faster: completions are
     * gathered when that thread asks for them, without interrupting it. Use by another thread raises
     * {@link IllegalStateException}.
     */
    FIRST_SUBMITTER
}
