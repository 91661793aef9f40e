package dev.ashlar.drivers.qcow2.format;

/** Feature bits of version 3 headers. Source: qcow2 specification, "Header". */
public final class Feature {
    /** Incompatible: refcounts may be too low. */
    public static final long DIRTY = 1L;
    /** Incompatible: structures may be wrong; no writing. */
    public static final long CORRUPT = 1L << 1;
    /** Incompatible: guest data is in another file. */
    public static final long DATA_FILE = 1L << 2;
    /** Incompatible: a compression type other than zlib. */
    public static final long COMPRESSION_TYPE = 1L << 3;
    /** Incompatible: L2 entries of 128 bits. */
    public static final long EXTENDED_L2 = 1L << 4;

    /** Compatible: refcounts may be updated lazily. */
    public static final long LAZY_REFCOUNTS = 1L;

    /** Autoclear: the bitmaps extension is consistent. */
    public static final long BITMAPS = 1L;
    /** Autoclear: the data file alone reads as the disk. */
    public static final long DATA_FILE_RAW = 1L << 1;

    private Feature() {}

    /** Kinds of feature bits, by their number in the feature name table. */
    public enum Kind {
        INCOMPATIBLE,
        COMPATIBLE,
        AUTOCLEAR
    }
}
