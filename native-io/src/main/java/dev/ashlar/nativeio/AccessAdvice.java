package dev.ashlar.nativeio;

/**
 * Expected use of a range, for {@link LinuxFile#advise} and {@link ReadOnlyMapping#advise}. The
 * numbers of {@code posix_fadvise(2)} and {@code madvise(2)} agree for these values on both
 * processors.
 */
public enum AccessAdvice {
    /** No special treatment. */
    NORMAL,
    /** Accesses in random order: no read-ahead. */
    RANDOM,
    /** Accesses from lower to higher offsets: more read-ahead. */
    SEQUENTIAL,
    /** Access soon: read ahead now. */
    WILL_NEED,
    /** No access soon: clean pages may be dropped. */
    DONT_NEED;

    int number() {
        return ordinal();
    }
}
