package dev.ashlar.nativeio;

/**
 * What {@link LinuxFile#fallocate} does to a range.
 *
 * @see <a href="https://man7.org/linux/man-pages/man2/fallocate.2.html">fallocate(2)</a>
 */
public enum FallocateMode {
    /** Allocates blocks; the file grows when the range ends behind its end. */
    ALLOCATE(0),
    /** Allocates blocks and leaves the file's length alone. */
    ALLOCATE_KEEP_SIZE(1),
    /** Gives the blocks back; the range reads as zeros and the length stays. */
    PUNCH_HOLE(2 | 1),
    /**
     * The range reads as zeros and stays allocated; the file grows when the range ends behind its
     * end.
     */
    ZERO_RANGE(16),
    /** The range reads as zeros and stays allocated; the length stays. */
    ZERO_RANGE_KEEP_SIZE(16 | 1);

    private final int bits;

    FallocateMode(int bits) {
        this.bits = bits;
    }

    int bits() {
        return bits;
    }
}
