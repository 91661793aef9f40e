/** The raw format. */
module dev.ashlar.drivers.raw {
    requires dev.ashlar.core;
    requires static org.jspecify;
}
