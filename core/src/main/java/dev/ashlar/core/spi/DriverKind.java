package dev.ashlar.core.spi;

/** Where a driver stands in the graph. */
public enum DriverKind {
    /** A leaf: talks to the host (files, devices). Opens to a {@link ProtocolInstance}. */
    PROTOCOL,
    /** Interprets a child as an image. Opens to a {@link FormatInstance}. */
    FORMAT,
    /** Passes requests to one child, changing how but not what. Opens to a {@link FilterInstance}. */
    FILTER
}
