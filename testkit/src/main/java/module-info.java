/** Contract suites, fault and crash nodes, models and generators for tests. */
module dev.ashlar.testkit {
    requires transitive dev.ashlar.core;
    requires jdk.management;
    requires transitive net.jqwik.api;
    requires transitive org.junit.jupiter.api;
    requires transitive org.junit.jupiter.params;
    requires static transitive org.jspecify;

    exports dev.ashlar.testkit;
    exports dev.ashlar.testkit.crash;
    exports dev.ashlar.testkit.host;
    exports dev.ashlar.testkit.hostile;
    exports dev.ashlar.testkit.model;
    exports dev.ashlar.testkit.protocol;
    exports dev.ashlar.testkit.qcow2;
    exports dev.ashlar.testkit.qemu;
}
