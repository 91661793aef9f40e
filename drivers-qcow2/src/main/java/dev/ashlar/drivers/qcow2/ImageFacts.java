package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.spi.FormatInfo;
import dev.ashlar.drivers.qcow2.format.Feature;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import java.util.LinkedHashMap;
import java.util.Map;

/** What {@code info} shows of an image, named and ordered as QEMU's tools do. */
final class ImageFacts {
    private ImageFacts() {}

    static FormatInfo of(Qcow2Header header) {
        Map<String, Object> facts = new LinkedHashMap<>();
        boolean v3 = header.version() >= 3;
        facts.put("compat", v3 ? "1.1" : "0.10");
        facts.put("compression-type", header.compressionType() == 1 ? "zstd" : "zlib");
        if (v3) {
            facts.put("lazy-refcounts", (header.compatibleFeatures() & Feature.LAZY_REFCOUNTS) != 0);
        }
        facts.put("refcount-bits", (long) (1 << header.refcountOrder()));
        if (v3) {
            facts.put("corrupt", header.has(Feature.CORRUPT));
            facts.put("extended-l2", header.has(Feature.EXTENDED_L2));
        }
        return new FormatInfo(
                1L << header.clusterBits(), header.has(Feature.DIRTY), header.has(Feature.CORRUPT), false, facts);
    }
}
