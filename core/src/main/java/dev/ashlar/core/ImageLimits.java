package dev.ashlar.core;

/**
 * What an image may claim at most. Formats have limits of their own, which always hold; these are for images that nobody should trust, where reasonable
 * sizes are a better bound than possible ones.
 *
 * @param maxDiskBytes virtual size
 * @param maxSnapshots internal snapshots
 * @param maxTableBytes one table that is read when the image is opened: active L1 table, refcount table, snapshot table
 */
public record ImageLimits(long maxDiskBytes, long maxSnapshots, long maxTableBytes) {
    /** No limits but the format's own. */
    public static final ImageLimits NONE = new ImageLimits(Long.MAX_VALUE, Long.MAX_VALUE, Long.MAX_VALUE);

    /** For images that are not trusted: 64 TiB, 1,024 snapshots, tables of 8 MiB. */
    public static final ImageLimits UNTRUSTED = new ImageLimits(64L << 40, 1024, 8L << 20);

    /** @throws IllegalArgumentException for a negative limit */
    public ImageLimits {
        if (maxDiskBytes < 0 || maxSnapshots < 0 || maxTableBytes < 0) {
            throw new IllegalArgumentException("negative limit");
        }
    }

    /** @throws BlockException TOO_LARGE if the disk is larger than allowed */
    public void requireDisk(long sizeBytes) throws BlockException {
        require("virtual size", sizeBytes, maxDiskBytes, "max-size");
    }

    /** @throws BlockException TOO_LARGE if there are more than allowed */
    public void requireSnapshots(long count) throws BlockException {
        require("number of snapshots", count, maxSnapshots, "max-snapshots");
    }

    /**
     * @param name of the table, for the message
     * @throws BlockException TOO_LARGE if the table is larger than allowed
     */
    public void requireTable(String name, long lengthBytes) throws BlockException {
        require("size of the " + name, lengthBytes, maxTableBytes, "max-table");
    }

    private static void require(String what, long value, long limit, String option) throws BlockException {
        if (value > limit) {
            throw new BlockException(
                    BlockException.Kind.TOO_LARGE,
                    "The " + what + ", " + value + ", is over the limit for an untrusted image, " + limit + " ("
                            + option + ")");
        }
    }
}
