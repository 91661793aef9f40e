package dev.ashlar.nativeio;

/** Kind of a byte-range lock: any number of readers, or one writer. */
public enum LockType {
    /** Shared with other read locks; the file must be open for reading. */
    READ((short) 0),
    /** Excludes every other lock; the file must be open for writing. */
    WRITE((short) 1);

    private final short number;

    LockType(short number) {
        this.number = number;
    }

    short number() {
        return number;
    }
}
