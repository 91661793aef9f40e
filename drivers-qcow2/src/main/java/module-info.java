/** The qcow2 format, versions 2 and 3. */
module dev.ashlar.drivers.qcow2 {
    requires dev.ashlar.core;
    // For the compression codecs, nothing else.
    requires dev.ashlar.nativeio;
    requires static transitive org.jspecify;

    provides dev.ashlar.core.spi.BlockDriver with
            dev.ashlar.drivers.qcow2.Qcow2Driver;
}
