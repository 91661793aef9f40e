package dev.ashlar.core;

/**
 * What the holder of an edge may do with the node below it, and what it lets others do. The order of the constants is
 * the order of the bytes by which image files are locked between processes.
 */
public enum Permission {
    /** Reads return what was last written by anyone. */
    CONSISTENT_READ("consistent read"),
    /** Guest-visible content may change. */
    WRITE("write"),
    /** Writes are allowed that leave the guest-visible content as it is. */
    WRITE_UNCHANGED("write unchanged"),
    /** The size may change. */
    RESIZE("resize");

    private final String label;

    Permission(String label) {
        this.label = label;
    }

    /** The name that messages use, for instance {@code consistent read}. */
    public String label() {
        return label;
    }
}
