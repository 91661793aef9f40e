package dev.ashlar.drivers.qcow2.alloc;

/** Why clusters are given up, which decides whether their space goes back to the host ({@link PassedDiscards}). */
public enum Discard {
    /** The guest discards them, or makes them zeros that need no space. */
    REQUEST,
    /** A snapshot alone had them, or what a snapshot replaced. */
    SNAPSHOT,
    /** Something else took their place. */
    OTHER,
    /** They lie behind the end of the disk. */
    ALWAYS
}
