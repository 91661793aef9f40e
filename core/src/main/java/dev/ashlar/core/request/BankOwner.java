package dev.ashlar.core.request;

/** A queue, as the tracker of a node sees it. */
interface BankOwner {
    /** The last drained section ended: start what was held back. Any thread; must not wait. */
    void resume();

    /**
     * Called by a thread that is about to wait for the node to be idle: if it is the queue's own thread, nobody else could take
     * the completions, so it must wait for them here and keep them for later.
     */
    void finishIfOwned();

    /** Whether the calling thread is the queue's own and is being handed a completion right now. */
    boolean isInsideCompletion();
}
