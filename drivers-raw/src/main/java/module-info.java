/** The raw format. */
module dev.ashlar.drivers.raw {
    requires dev.ashlar.core;
    requires static transitive org.jspecify;

    provides dev.ashlar.core.spi.BlockDriver with
            dev.ashlar.drivers.raw.RawDriver;
}
