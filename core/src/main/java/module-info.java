/** Node graph, permissions, request path, snapshots, filters and the driver SPI. */
module dev.ashlar.core {
    requires static transitive org.jspecify;

    exports dev.ashlar.core;
    exports dev.ashlar.core.bitmap;
    exports dev.ashlar.core.filter;
    exports dev.ashlar.core.snapshot;
    exports dev.ashlar.core.spi;

    uses dev.ashlar.core.spi.BlockDriver;

    provides dev.ashlar.core.spi.BlockDriver with
            dev.ashlar.core.filter.BlkdebugDriver,
            dev.ashlar.core.filter.BlkverifyDriver,
            dev.ashlar.core.filter.CopyOnReadDriver,
            dev.ashlar.core.filter.NullDriver,
            dev.ashlar.core.filter.NullAioDriver,
            dev.ashlar.core.filter.PreallocateDriver,
            dev.ashlar.core.filter.ThrottleDriver;
}
