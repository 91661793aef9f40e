package dev.ashlar.nativeio;

/** Which engine {@link IoEngines#open} makes. */
public enum EnginePreference {
    /**
     * {@code io_uring} where the kernel and its policy allow it, otherwise the synchronous engine.
     */
    AUTOMATIC,
    /** {@code io_uring} or an error. */
    IO_URING,
    /** One plain system call per operation. */
    SYNCHRONOUS
}
