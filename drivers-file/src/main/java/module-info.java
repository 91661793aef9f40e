/** Protocol driver for regular files and block devices. */
module dev.ashlar.drivers.file {
    requires dev.ashlar.core;
    requires dev.ashlar.nativeio;
    requires static transitive org.jspecify;

    provides dev.ashlar.core.spi.BlockDriver with
            dev.ashlar.drivers.file.FileDriver,
            dev.ashlar.drivers.file.HostDeviceDriver;
}
