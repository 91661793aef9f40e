package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.spi.FormatInfo;
import dev.ashlar.drivers.qcow2.crypt.ImageEncryption;
import dev.ashlar.drivers.qcow2.format.BitmapEntry;
import dev.ashlar.drivers.qcow2.format.Feature;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What {@code info} shows of an image, named and ordered as QEMU's tools do. */
final class ImageFacts {
    private ImageFacts() {}

    static FormatInfo of(Qcow2Header header, List<BitmapEntry> bitmaps, @Nullable ImageEncryption encryption) {
        Map<String, Object> facts = new LinkedHashMap<>();
        boolean v3 = header.version() >= 3;
        facts.put("compat", v3 ? "1.1" : "0.10");
        facts.put("compression-type", header.compressionType() == 1 ? "zstd" : "zlib");
        if (v3) {
            facts.put("lazy-refcounts", (header.compatibleFeatures() & Feature.LAZY_REFCOUNTS) != 0);
        }
        if (!bitmaps.isEmpty()) {
            facts.put("bitmaps", bitmapFacts(bitmaps));
        }
        facts.put("refcount-bits", (long) (1 << header.refcountOrder()));
        if (encryption != null) {
            facts.put("encrypt", encryption.facts());
        }
        if (header.dataFileName() != null) {
            facts.put("data-file", header.dataFileName());
        }
        if (header.has(Feature.DATA_FILE)) {
            facts.put("data-file-raw", header.dataFileIsRaw());
        }
        if (v3) {
            facts.put("corrupt", header.has(Feature.CORRUPT));
            facts.put("extended-l2", header.has(Feature.EXTENDED_L2));
        }
        return new FormatInfo(
                1L << header.clusterBits(),
                header.has(Feature.DIRTY),
                header.has(Feature.CORRUPT),
                encryption != null,
                facts);
    }

    private static List<Object> bitmapFacts(List<BitmapEntry> bitmaps) {
        List<Object> list = new ArrayList<>(bitmaps.size());
        for (BitmapEntry bitmap : bitmaps) {
            List<String> flags = new ArrayList<>(2);
            if (bitmap.isInUse()) {
                flags.add("in-use");
            }
            if (bitmap.isAuto()) {
                flags.add("auto");
            }
            Map<String, Object> facts = new LinkedHashMap<>();
            facts.put("flags", flags);
            facts.put("name", bitmap.name());
            facts.put("granularity", bitmap.granularityBytes());
            list.add(facts);
        }
        return list;
    }
}
