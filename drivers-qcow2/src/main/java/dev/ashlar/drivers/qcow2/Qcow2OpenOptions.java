package dev.ashlar.drivers.qcow2;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.spi.OnOff;
import dev.ashlar.core.spi.OptionDescriptor;
import dev.ashlar.core.spi.OptionDescriptor.Type;
import dev.ashlar.drivers.qcow2.alloc.OverlapTemplate;
import dev.ashlar.drivers.qcow2.alloc.PassedDiscards;
import dev.ashlar.drivers.qcow2.format.ClusterGeometry;
import dev.ashlar.drivers.qcow2.format.Qcow2Header;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The options of an opening, checked by name and form. Sizes of caches are checked and change nothing: tables are read where they lie.
 *
 * @param lazyRefcounts null: as the image says
 * @param encryptionFormat what the user takes the image to be encrypted with
 * @param keySecret id of the secret that opens it
 * @param passDiscardRequest discards of the guest give space back to the host; null: where discards are carried out at all
 * @param passDiscardSnapshot so does what only a snapshot had
 * @param passDiscardOther so do other clusters that are freed
 * @param overlapClasses kinds of metadata that are looked at before a write; see {@link OverlapTemplate}
 */
record Qcow2OpenOptions(
        @Nullable Boolean lazyRefcounts,
        @Nullable Boolean passDiscardRequest,
        boolean passDiscardSnapshot,
        boolean passDiscardOther,
        @Nullable String encryptionFormat,
        @Nullable String keySecret,
        int overlapClasses) {
    private static final String CACHE = "cache-size";
    private static final String L2_CACHE = "l2-cache-size";
    private static final String REFCOUNT_CACHE = "refcount-cache-size";
    private static final String OVERLAP = "overlap-check";
    private static final String CLEAN_INTERVAL = "cache-clean-interval";
    private static final long MAX_INTERVAL_SECONDS = 0xffff_ffffL;
    private static final int MIN_ENTRY_BYTES = 512;
    private static final int SIZE_PREFIX_BITS = 10;

    static final List<OptionDescriptor> DESCRIPTORS = List.of(
            new OptionDescriptor("lazy-refcounts", Type.BOOLEAN, "Postpone refcount updates", null),
            new OptionDescriptor(
                    "pass-discard-request", Type.BOOLEAN, "Pass guest discard requests to the layer below", null),
            new OptionDescriptor(
                    "pass-discard-snapshot",
                    Type.BOOLEAN,
                    "Generate discard requests when snapshot related space is freed",
                    null),
            new OptionDescriptor(
                    "pass-discard-other",
                    Type.BOOLEAN,
                    "Generate discard requests when other clusters are freed",
                    null),
            new OptionDescriptor(
                    "overlap-check", Type.STRING, "Which overlap checks to perform: none, constant, cached, all", null),
            new OptionDescriptor("overlap-check.template", Type.STRING, "The same", null),
            new OptionDescriptor("overlap-check.main-header", Type.BOOLEAN, "Writes to the header", null),
            new OptionDescriptor("overlap-check.active-l1", Type.BOOLEAN, "Writes to the active L1 table", null),
            new OptionDescriptor("overlap-check.active-l2", Type.BOOLEAN, "Writes to active L2 tables", null),
            new OptionDescriptor("overlap-check.refcount-table", Type.BOOLEAN, "Writes to the refcount table", null),
            new OptionDescriptor("overlap-check.refcount-block", Type.BOOLEAN, "Writes to refcount blocks", null),
            new OptionDescriptor("overlap-check.snapshot-table", Type.BOOLEAN, "Writes to the snapshot table", null),
            new OptionDescriptor("overlap-check.inactive-l1", Type.BOOLEAN, "Writes to other L1 tables", null),
            new OptionDescriptor("overlap-check.inactive-l2", Type.BOOLEAN, "Writes to other L2 tables", null),
            new OptionDescriptor("overlap-check.bitmap-directory", Type.BOOLEAN, "Writes to bitmaps' directory", null),
            new OptionDescriptor(CACHE, Type.SIZE, "Taken, without effect", null),
            new OptionDescriptor(L2_CACHE, Type.SIZE, "Taken, without effect", null),
            new OptionDescriptor("l2-cache-entry-size", Type.SIZE, "Taken, without effect", null),
            new OptionDescriptor(REFCOUNT_CACHE, Type.SIZE, "Taken, without effect", null),
            new OptionDescriptor("cache-clean-interval", Type.NUMBER, "Taken, without effect", null),
            new OptionDescriptor("encrypt.format", Type.STRING, "Encryption of the image", null),
            new OptionDescriptor("encrypt.key-secret", Type.STRING, "Id of the secret that opens it", null));

    /** @param header of the image */
    static Qcow2OpenOptions of(Map<String, String> given, Qcow2Header header) throws BlockException {
        for (Map.Entry<String, String> option : given.entrySet()) {
            check(option.getKey(), option.getValue());
        }
        checkCaches(given, header.geometry(), header.sizeBytes());
        Boolean lazy = flag(given, "lazy-refcounts");
        if (Boolean.TRUE.equals(lazy) && header.version() < 3) {
            throw invalid("Lazy refcounts require a qcow2 image with at least qemu 1.1 compatibility level");
        }
        return new Qcow2OpenOptions(
                lazy,
                flag(given, "pass-discard-request"),
                !Boolean.FALSE.equals(flag(given, "pass-discard-snapshot")),
                Boolean.TRUE.equals(flag(given, "pass-discard-other")),
                given.get("encrypt.format"),
                given.get("encrypt.key-secret"),
                OverlapTemplate.parse(given));
    }

    /** @param unmap whether the node carries discards out at all */
    PassedDiscards passedDiscards(boolean unmap) {
        boolean request = passDiscardRequest == null ? unmap : passDiscardRequest;
        return new PassedDiscards(request, passDiscardSnapshot, passDiscardOther);
    }

    /** See {@link dev.ashlar.core.spi.BlockDriver#joinOptions}. */
    static Map<String, String> join(Map<String, String> before, Map<String, String> changed) {
        Map<String, String> all = new HashMap<>(before);
        if (changed.containsKey(OVERLAP) || changed.containsKey(OVERLAP + ".template")) {
            // another template begins anew
            all.keySet().removeIf(name -> name.equals(OVERLAP) || name.startsWith(OVERLAP + "."));
        }
        if (changed.containsKey(CACHE)) {
            all.remove(L2_CACHE);
            all.remove(REFCOUNT_CACHE);
        }
        all.putAll(changed);
        if (all.containsKey(L2_CACHE) && all.containsKey(REFCOUNT_CACHE) && !changed.containsKey(CACHE)) {
            // the sum follows from the two
            all.remove(CACHE);
        }
        return all;
    }

    private static void check(String name, String value) throws BlockException {
        for (OptionDescriptor known : DESCRIPTORS) {
            if (known.name().equals(name)) {
                switch (known.type()) {
                    case BOOLEAN -> OnOff.parse(name, value);
                    case SIZE -> size(name, value);
                    case NUMBER -> number(name, value);
                    case STRING -> {}
                }
                return;
            }
        }
        if (name.startsWith("encrypt.")) {
            throw invalid("Parameter '" + name.substring("encrypt.".length()) + "' is unexpected");
        }
        throw invalid("Block format 'qcow2' does not support the option '" + name + "'");
    }

    private static void checkCaches(Map<String, String> given, ClusterGeometry geometry, long diskBytes)
            throws BlockException {
        int clusterBytes = geometry.clusterBytes();
        long entryBytes = clusterBytes;
        String all = given.get(CACHE);
        String l2 = given.get(L2_CACHE);
        String refcounts = given.get(REFCOUNT_CACHE);
        if (all != null && l2 != null && refcounts != null) {
            throw invalid(CACHE + ", " + L2_CACHE + " and " + REFCOUNT_CACHE + " may not be set at the same time");
        }
        if (all != null && l2 != null && size(L2_CACHE, l2) > size(CACHE, all)) {
            throw invalid(L2_CACHE + " may not exceed " + CACHE);
        }
        if (all != null && refcounts != null && size(REFCOUNT_CACHE, refcounts) > size(CACHE, all)) {
            throw invalid(REFCOUNT_CACHE + " may not exceed " + CACHE);
        }
        String entryText = given.get("l2-cache-entry-size");
        if (entryText != null) {
            long entry = size("l2-cache-entry-size", entryText);
            if (entry < MIN_ENTRY_BYTES || entry > clusterBytes || Long.bitCount(entry) != 1) {
                throw invalid("L2 cache entry size must be a power of two between " + MIN_ENTRY_BYTES
                        + " and the cluster size (" + clusterBytes + ")");
            }
            entryBytes = entry;
        }
        // more than all L2 tables is of no use
        long tablesBytes = geometry.clustersFor(diskBytes) * geometry.l2EntryBytes();
        if (l2 != null && Math.min(size(L2_CACHE, l2), tablesBytes) / entryBytes > Integer.MAX_VALUE) {
            throw invalid("L2 cache size too big");
        }
        if (refcounts != null && size(REFCOUNT_CACHE, refcounts) / clusterBytes > Integer.MAX_VALUE) {
            throw invalid("Refcount cache size too big");
        }
        String interval = given.get(CLEAN_INTERVAL);
        if (interval != null && Long.compareUnsigned(number(CLEAN_INTERVAL, interval), MAX_INTERVAL_SECONDS) > 0) {
            throw invalid("Cache clean interval too big");
        }
    }

    private static @Nullable Boolean flag(Map<String, String> given, String name) throws BlockException {
        String text = given.get(name);
        return text == null ? null : (Boolean) OnOff.parse(name, text);
    }

    private static long number(String name, String value) throws BlockException {
        try {
            return Long.decode(value);
        } catch (NumberFormatException e) {
            throw new BlockException(Kind.INVALID, "Parameter '" + name + "' expects a number", e);
        }
    }

    /** Bytes, with an optional suffix. */
    private static long size(String name, String value) throws BlockException {
        int last = value.length() - 1;
        int unit = last < 0 ? -1 : "bkmgtpe".indexOf(Character.toLowerCase(value.charAt(last)));
        try {
            double bytes = Double.parseDouble(unit < 0 ? value : value.substring(0, last))
                    * (1L << (SIZE_PREFIX_BITS * Math.max(unit, 0)));
            if (bytes >= 0 && bytes < 0x1p63 && !value.startsWith("-")) {
                return (long) bytes;
            }
        } catch (NumberFormatException e) {
            throw new BlockException(
                    Kind.INVALID, "Parameter '" + name + "' expects a non-negative number below 2^64", e);
        }
        throw invalid("Parameter '" + name + "' expects a non-negative number below 2^64");
    }

    private static BlockException invalid(String message) {
        return new BlockException(Kind.INVALID, message);
    }
}
