package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import java.util.Map;

/**
 * What of the options of a new image decides about its size. They are judged less strictly than those of {@link Qcow2CreateOptions}: what
 * has no influence is not looked at, as in {@code qemu-img measure}.
 *
 * @param version 2 or 3
 * @param sizeBytes virtual size as it was asked for, unsigned
 * @param hasBackingFile a backing file is named, whether it exists or not
 * @param allocatesData all clusters get space from the start
 */
record MeasureOptions(
        int version, long sizeBytes, ClusterGeometry geometry, boolean hasBackingFile, boolean allocatesData) {

    static MeasureOptions parse(Map<String, String> options) throws BlockException {
        boolean extendedL2 = "on".equals(options.get("extended_l2"));
        int clusterBits = Qcow2CreateOptions.clusterBits(
                Qcow2CreateOptions.number("cluster_size", options.getOrDefault("cluster_size", "65536")), extendedL2);
        int version = version(options.getOrDefault("compat", "1.1"));
        int refcountOrder = Qcow2CreateOptions.refcountOrder(
                Qcow2CreateOptions.number("refcount_bits", options.getOrDefault("refcount_bits", "16")));
        if (version < 3 && refcountOrder != 4) {
            throw new BlockException(
                    Kind.INVALID,
                    "Different refcount widths than 16 bits require compatibility level 1.1 or above"
                            + " (use compat=1.1 or greater)");
        }
        boolean allocatesData = allocatesData(options.getOrDefault("preallocation", "off"));
        return new MeasureOptions(
                version,
                Qcow2CreateOptions.number("size", options.getOrDefault("size", "0")),
                new ClusterGeometry(clusterBits, refcountOrder, extendedL2),
                options.containsKey("backing_file"),
                allocatesData);
    }

    /** Only the names of old: creation knows {@code v2} and {@code v3} as well. */
    private static int version(String compat) throws BlockException {
        return switch (compat) {
            case "0.10" -> 2;
            case "1.1" -> 3;
            default -> throw new BlockException(Kind.INVALID, "Invalid compatibility level: '" + compat + "'");
        };
    }

    /** Tables are counted in full anyway, so that {@code metadata} changes nothing. */
    private static boolean allocatesData(String preallocation) throws BlockException {
        return switch (preallocation) {
            case "off", "metadata" -> false;
            case "falloc", "full" -> true;
            default -> throw new BlockException(Kind.INVALID, "invalid parameter value: " + preallocation);
        };
    }
}
