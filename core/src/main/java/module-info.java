/** Node graph, permissions, request path, snapshots and the driver SPI. */
module dev.ashlar.core {
    requires static transitive org.jspecify;

    exports dev.ashlar.core;
    exports dev.ashlar.core.snapshot;
    exports dev.ashlar.core.spi;

    uses dev.ashlar.core.spi.BlockDriver;
}
