package dev.ashlar.core.request;

/** What becomes of a write that contains nothing but zeros. */
public enum ZeroDetection {
    /** It is written as it is. */
    OFF,
    /** The range is made to read as zeros, and keeps its space. */
    ON,
    /** The range is made to read as zeros, and its space may be given back. */
    UNMAP
}
