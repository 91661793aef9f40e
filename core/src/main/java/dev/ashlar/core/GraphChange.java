package dev.ashlar.core;

import java.util.Set;

/** One part of a {@link GraphTransaction}. Called on drained nodes by the thread that holds the graph's change lock. */
sealed interface GraphChange permits EdgeSwitch, ModeChange {
    /** Adds the nodes that must stand still. */
    void addTouched(Set<BlockNode> into);

    /** Changes what permissions depend on. */
    void prepare() throws BlockException;

    /** Does what needs the drivers, after all permissions were granted. */
    void apply() throws BlockException;

    /**
     * Undoes what was done of {@link #prepare} and {@link #apply}.
     *
     * @throws BlockException if a driver could not be opened again as it was; its node is left without one
     */
    void abort() throws BlockException;
}
