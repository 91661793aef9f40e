package dev.ashlar.drivers.qcow2.alloc;

/** Kinds of metadata that nothing else may be written over, in the order in which an overlap is looked for. */
public enum MetadataClass {
    MAIN_HEADER("main-header", "qcow2_header"),
    ACTIVE_L1("active-l1", "active L1 table"),
    REFCOUNT_TABLE("refcount-table", "refcount table"),
    SNAPSHOT_TABLE("snapshot-table", "snapshot table"),
    INACTIVE_L1("inactive-l1", "inactive L1 table"),
    ACTIVE_L2("active-l2", "active L2 table"),
    REFCOUNT_BLOCK("refcount-block", "refcount block"),
    /** Tables of snapshots: to know them, all L1 tables of snapshots are read. */
    INACTIVE_L2("inactive-l2", "inactive L2 table"),
    BITMAP_DIRECTORY("bitmap-directory", "bitmap directory"),
    /** What has no name of its own among the options. */
    OTHER("", "metadata");

    private final String option;
    private final String title;

    MetadataClass(String option, String title) {
        this.option = option;
        this.title = title;
    }

    /** The name in {@code overlap-check.NAME}; empty for {@link #OTHER}. */
    public String option() {
        return option;
    }

    /** How messages call it. */
    public String title() {
        return title;
    }

    int bit() {
        return 1 << ordinal();
    }
}
