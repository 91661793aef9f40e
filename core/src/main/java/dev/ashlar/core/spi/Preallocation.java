package dev.ashlar.core.spi;

/** How much of new space is claimed at once. */
public enum Preallocation {
    /** None: space is claimed as it is written. */
    OFF,
    /** Tables of the format only. */
    METADATA,
    /** Space is reserved on the host without writing it. */
    FALLOC,
    /** Zeros are written. */
    FULL
}
