package dev.ashlar.core.spi;

/** Told how far a check is. Called by any thread, often, and sometimes out of order; it returns at once. */
@FunctionalInterface
public interface CheckProgress {
    /** Nobody wants to know. */
    CheckProgress NONE = (done, total) -> {};

    /**
     * @param done units of work done since the counting of references began; it begins anew after a rebuild
     * @param total units of work that there are, at least 1 when this is called
     */
    void update(long done, long total);
}
