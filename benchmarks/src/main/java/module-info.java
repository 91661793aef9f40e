/** JMH benchmarks; nothing depends on them. Open, since the JMH runner creates benchmarks by reflection. */
open module dev.ashlar.benchmarks {
    requires dev.ashlar.core;
    requires dev.ashlar.drivers.file;
    requires dev.ashlar.drivers.qcow2;
    requires dev.ashlar.drivers.raw;
    requires dev.ashlar.nativeio;
    requires jdk.unsupported;
    requires jmh.core;
    requires static org.jspecify;
}
