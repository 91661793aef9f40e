package dev.ashlar.core.request;

/** Who asks for a request: only users are held back by a drained section. */
public enum Origin {
    /** A backend or a queue: waits at the gate while the node is drained. */
    BACKEND,
    /**
     * A parent node, on behalf of a request of its own that is tracked already or of control code: never held back, or a drain would
     * wait for what it holds back itself (D6).
     */
    PARENT,
    /** A parent node, for its own tables: as {@link #PARENT}, told apart by debugging filters alone. */
    METADATA
}
